"""Compares every metric with a reference implementation and writes the table of docs/metrics.md.

Both are given the same answers, in normal form, and the same tables: `python -m tools.agreement`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from finscribe_trainer.metrics.anls import anls_star
from finscribe_trainer.metrics.fields import field_f1
from finscribe_trainer.metrics.normalization import normalize_answer
from finscribe_trainer.metrics.nted import nted
from finscribe_trainer.metrics.teds import teds
from tests.reference import random_answers, random_tables
from tests.reference.answers import donut_f1, donut_nted, official_anls
from tests.reference.table_html import to_html
from tests.reference.teds import count_inline_tags, docling_teds

CASES = 600
PAGE = Path(__file__).parent.parent / "docs" / "metrics.md"
BEGIN, END = "<!-- agreement: made by `make agreement` -->\n", "<!-- end of agreement -->"
_EQUAL = 1e-9

Scores = Iterable[tuple[float, float]]
"""Our score of a case and the reference's."""


@dataclass(frozen=True)
class Agreement:
    """How a metric compares with its reference implementation."""

    metric: str
    function: str
    """Of the reference implementation."""
    package: str
    """That holds the reference implementation, by its name on PyPI."""
    cases: int
    equal: int
    """Cases whose scores differ by less than 1e-9."""
    largest: float
    """Largest difference of two scores."""

    @property
    def row(self) -> str:
        """Its row of the table, with the installed version of the package."""
        largest = "0" if self.largest < _EQUAL else f"{self.largest:.1e}"
        reference = f"{self.package} {version(self.package)}, `{self.function}`"
        return f"| {self.metric} | {reference} | {self.cases} | {self.equal} | {largest} |"


def compare_all(cases: int, seed: int = 0) -> Iterator[Agreement]:
    """Compare every metric with its reference implementation on `cases` random cases."""
    donut, docling = "donut-python", "docling-metrics-table"
    yield _compare("Field F1", "cal_f1", donut, _answers(cases, seed, _f1, donut_f1))
    yield _compare("nTED", "cal_acc", donut, _answers(cases, seed, nted, donut_nted))
    yield _compare("ANLS*", "anls_score", "anls-star", _answers(cases, seed, anls_star, official_anls))
    yield _compare("TEDS", "TEDScorer", docling, _tables(cases, seed, structure_only=False))
    yield _compare(
        "TEDS-S", "TEDScorer, structure_only=True", docling, _tables(cases, seed, structure_only=True)
    )


def _compare(metric: str, function: str, package: str, scores: Scores) -> Agreement:
    differences = [abs(ours - theirs) for ours, theirs in scores]
    equal = sum(difference < _EQUAL for difference in differences)
    return Agreement(metric, function, package, len(differences), equal, max(differences))


def _f1(gold: Any, predicted: Any) -> float:
    return field_f1(gold, predicted).value or 0.0


def _answers(
    cases: int, seed: int, ours: Callable[[Any, Any], float], theirs: Callable[[Any, Any], float]
) -> Scores:
    for pair in random_answers.random_pairs(Random(seed), cases):  # noqa: S311 - test cases, not secrets
        gold, predicted = map(normalize_answer, pair)
        yield ours(gold, predicted), theirs(gold, predicted)


def _tables(cases: int, seed: int, *, structure_only: bool) -> Scores:
    pairs = random_tables.random_pairs(Random(seed))  # noqa: S311 - test cases, not secrets
    # Tags inside cells are counted differently: docs/metrics.md.
    plain = (pair for pair in pairs if not any(map(count_inline_tags, pair)))
    for gold, predicted in islice(plain, cases):
        theirs = docling_teds(to_html(gold), to_html(predicted), structure_only=structure_only)
        yield teds(gold, predicted, structure_only=structure_only), max(0.0, theirs)


def main() -> None:
    """Compare, print, and write the table."""
    rows = ["| Metric | Reference | Cases | Equal | Largest difference |", "|---|---|---:|---:|---:|"]
    for agreement in compare_all(CASES):
        rows.append(agreement.row)
        print(agreement.row)
    before, _, rest = PAGE.read_text().partition(BEGIN)
    if not rest:
        raise SystemExit(f"{PAGE}: the line {BEGIN.strip()} is missing. Add it back where the table belongs.")
    PAGE.write_text(before + BEGIN + "\n" + "\n".join(rows) + "\n\n" + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
