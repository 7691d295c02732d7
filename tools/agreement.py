"""Compares every metric with its public reference, and writes the table into docs/metrics.md.

Ours and the reference are given the same: answers in normal form, and tables.

`python -m tools.agreement` writes it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from finscribe_trainer.metrics.anls import anls_star
from finscribe_trainer.metrics.fields import field_f1
from finscribe_trainer.metrics.normal_form import normalise
from finscribe_trainer.metrics.nted import nted
from finscribe_trainer.metrics.teds import teds
from tests.reference import random_answers, random_tables
from tests.reference.answers import donut_f1, donut_nted, official_anls
from tests.reference.teds import ibm_teds, marked_up, to_html

CASES = 600
PAGE = Path(__file__).parent.parent / "docs" / "metrics.md"
BEGIN, END = "<!-- agreement: made by `make agreement` -->\n", "<!-- end of agreement -->"
_EQUAL = 1e-9

Scores = Iterable[tuple[float, float]]


@dataclass(frozen=True)
class Agreement:
    """How a metric compares with its reference."""

    metric: str
    reference: str
    cases: int
    equal: int
    """Cases whose scores differ by less than 1e-9."""
    largest: float
    """Largest difference of two scores."""

    @property
    def row(self) -> str:
        """Its row of the table."""
        largest = "0" if self.largest < _EQUAL else f"{self.largest:.1e}"
        return f"| {self.metric} | {self.reference} | {self.cases} | {self.equal} | {largest} |"


def compare_all(cases: int, seed: int = 0) -> Iterator[Agreement]:
    """Every metric with its reference on so many cases."""
    yield _compare("Field F1", "Donut `cal_f1`", _answers(cases, seed, _f1, donut_f1))
    yield _compare("nTED", "Donut `cal_acc`", _answers(cases, seed, nted, donut_nted))
    yield _compare("ANLS*", "`anls_star` 1.0.1", _answers(cases, seed, anls_star, official_anls))
    yield _compare("TEDS", "PubTabNet `TEDS`", _tables(cases, seed, structure_only=False))
    yield _compare(
        "TEDS-S", "PubTabNet `TEDS(structure_only=True)`", _tables(cases, seed, structure_only=True)
    )


def _compare(metric: str, reference: str, scores: Scores) -> Agreement:
    differences = [abs(ours - theirs) for ours, theirs in scores]
    equal = sum(difference < _EQUAL for difference in differences)
    return Agreement(metric, reference, len(differences), equal, max(differences))


def _f1(gold: Any, predicted: Any) -> float:
    return field_f1(gold, predicted).value or 0.0


def _answers(
    cases: int, seed: int, ours: Callable[[Any, Any], float], theirs: Callable[[Any, Any], float]
) -> Scores:
    for pair in random_answers.random_pairs(Random(seed), cases):  # noqa: S311 - cases, no secrets
        gold, read = map(normalise, pair)
        yield ours(gold, read), theirs(gold, read)


def _tables(cases: int, seed: int, *, structure_only: bool) -> Scores:
    pairs = random_tables.random_pairs(Random(seed))  # noqa: S311 - cases, no secrets
    # Tags inside cells are counted otherwise: docs/metrics.md.
    plain = (pair for pair in pairs if not any(map(marked_up, pair)))
    for gold, read in islice(plain, cases):
        theirs = ibm_teds(to_html(gold), to_html(read), structure_only=structure_only)
        yield teds(gold, read, structure_only=structure_only), max(0.0, theirs)


def main() -> None:
    """Write the table."""
    rows = ["| Metric | Reference | Cases | Equal | Largest difference |", "|---|---|---:|---:|---:|"]
    for agreement in compare_all(CASES):
        rows.append(agreement.row)
        print(agreement.row)
    before, _, rest = PAGE.read_text().partition(BEGIN)
    if not rest:
        raise SystemExit(f"{PAGE}: there is no line {BEGIN.strip()}; put it back where the table belongs.")
    PAGE.write_text(before + BEGIN + "\n" + "\n".join(rows) + "\n\n" + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
