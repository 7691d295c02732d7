"""Every figure of one document, from its right answer and the one given."""

import math
from dataclasses import dataclass
from typing import Any

from finscribe_core.trainer_config import DocumentMetric
from finscribe_trainer.metrics.alignment import align
from finscribe_trainer.metrics.anls import anls_star
from finscribe_trainer.metrics.answer import MAX_CHARACTERS, Answer, read_answer
from finscribe_trainer.metrics.fields import (
    by_field,
    by_region,
    field_accuracy,
    field_f1,
    numeric_accuracy,
    numeric_precision,
)
from finscribe_trainer.metrics.html_tables import read_html
from finscribe_trainer.metrics.normal_form import normalise_text
from finscribe_trainer.metrics.nted import nted
from finscribe_trainer.metrics.otsl_tables import read_otsl
from finscribe_trainer.metrics.ratio import NOT_APPLICABLE, Ratio
from finscribe_trainer.metrics.tables import Table, line_item_table
from finscribe_trainer.metrics.teds import teds
from finscribe_trainer.metrics.validation import run_gates

__all__ = ["DocumentScore", "Ratio", "ceiling_gates", "score_document"]

TEXT_FIELD = "text"
"""Name of the one field of an answer that is plain text, HTML or OTSL."""


@dataclass(frozen=True)
class DocumentScore:
    """How well one document was read. A figure with denominator 0 does not apply to it."""

    metrics: dict[DocumentMetric, Ratio]
    """Every metric."""
    fields: dict[str, Ratio]
    """Field accuracy of each field of the right answer: `line_items.quantity`."""
    regions: dict[str, Ratio]
    """Field accuracy of each region of the page that the right answer has something of."""
    gates: dict[str, bool | None]
    """Which gates of the validation the answer passes, in their order; None where one does not apply."""
    extra: dict[str, Ratio]
    """`parse_rate_repaired`, `numeric_accuracy_1_percent`, `numeric_precision`."""

    def to_json(self) -> dict[str, Any]:
        """The score as what JSON holds; a ratio is a list of two."""
        return {
            name: {key: list(value) if isinstance(value, tuple) else value for key, value in part.items()}
            for name, part in vars(self).items()
        }

    @classmethod
    def from_json(cls, data: Any) -> "DocumentScore":
        """The score that `to_json` wrote.

        Raises:
            ValueError: `data` is none.
        """
        try:
            ratios = {
                name: {str(key): Ratio(*map(float, pair)) for key, pair in data[name].items()}
                for name in ("metrics", "fields", "regions", "extra")
            }
            if not all(
                math.isfinite(part) for group in ratios.values() for pair in group.values() for part in pair
            ):
                raise ValueError("a figure is not finite")
            named = ratios.pop("metrics")
            metrics = {metric: named[metric] for metric in DocumentMetric}
            return cls(metrics=metrics, gates=dict(data["gates"]), **ratios)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"is no document's score: {error!r}") from None


def score_document(gold: str, predicted: str) -> DocumentScore:
    """Score a model's answer to one document against the right one; never raises.

    When the right answer is a JSON object or list, the answer is read as JSON, repaired if need be. Any
    other right answer (plain text, an HTML or OTSL table) is one leaf of text. Time is bounded, whatever
    the answer: each metric names the size beyond which it gives a lower bound instead.
    """
    right = read_answer(gold)
    if _is_document(right):
        given = read_answer(predicted)
        tables = line_item_table(right.value), line_item_table(given.value)
        return _score(right, given, tables, run_gates(right, given))
    right, given = _text(gold), _text(predicted)
    return _score(right, given, (_text_table(gold), _text_table(predicted)), {})


def ceiling_gates(gold: str) -> dict[str, bool | None]:
    """Which gates the right answer itself passes: no model can be asked for more."""
    right = read_answer(gold)
    return run_gates(right, right) if _is_document(right) else {}


def _is_document(right: Answer) -> bool:
    return right.strict and isinstance(right.raw, dict | list)


def _text(text: str) -> Answer:
    value = {TEXT_FIELD: normalise_text(text)} if len(text) <= MAX_CHARACTERS else None
    return Answer(text, value, strict=False, readable=False)


def _text_table(text: str) -> Table:
    if len(text) > MAX_CHARACTERS:
        return Table()
    return read_otsl(text) if "<nl>" in text or "<fcel>" in text else read_html(text)


def _score(
    gold: Answer, given: Answer, tables: tuple[Table, Table], gates: dict[str, bool | None]
) -> DocumentScore:
    leaves = list(align(gold.value, given.value))
    exact, close = numeric_accuracy(leaves)
    applies = [passed for passed in gates.values() if passed is not None]
    metrics = {
        DocumentMetric.field_accuracy: field_accuracy(leaves),
        DocumentMetric.field_f1: field_f1(gold.value, given.value),
        DocumentMetric.nted: Ratio(nted(gold.value, given.value), 1) if leaves else NOT_APPLICABLE,
        DocumentMetric.anls_star: Ratio(anls_star(gold.value, given.value), 1) if leaves else NOT_APPLICABLE,
        DocumentMetric.teds_score: Ratio(teds(*tables), 1) if tables[0].nodes else NOT_APPLICABLE,
        DocumentMetric.teds_structure_score: (
            Ratio(teds(*tables, structure_only=True), 1) if tables[0].nodes else NOT_APPLICABLE
        ),
        DocumentMetric.numeric_accuracy: exact,
        DocumentMetric.validation_pass_rate: Ratio(float(all(applies)), 1)
        if len(applies) > 1
        else NOT_APPLICABLE,
        DocumentMetric.parse_rate: Ratio(float(given.strict), 1) if gates else NOT_APPLICABLE,
    }
    extra = {
        "parse_rate_repaired": Ratio(float(given.readable), 1) if gates else NOT_APPLICABLE,
        "numeric_accuracy_1_percent": close,
        "numeric_precision": numeric_precision(exact.numerator, given.value),
    }
    return DocumentScore(metrics, by_field(leaves), by_region(leaves), gates, extra)
