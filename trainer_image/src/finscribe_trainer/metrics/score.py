"""Computes every metric of one document from its ground truth and the predicted answer."""

import math
from dataclasses import dataclass
from typing import Any

from finscribe_core.trainer_config import DocumentMetric
from finscribe_trainer.metrics.alignment import align
from finscribe_trainer.metrics.anls import anls_star
from finscribe_trainer.metrics.answer_parsing import MAX_CHARACTERS, ParsedAnswer, parse_answer
from finscribe_trainer.metrics.error_kinds import ErrorCounts, count_errors
from finscribe_trainer.metrics.fields import (
    by_field,
    by_region,
    field_accuracy,
    field_f1,
    numeric_accuracy,
    numeric_precision,
)
from finscribe_trainer.metrics.html_tables import read_html
from finscribe_trainer.metrics.normalization import normalize_text
from finscribe_trainer.metrics.nted import nted
from finscribe_trainer.metrics.otsl_tables import read_otsl
from finscribe_trainer.metrics.ratio import NOT_APPLICABLE, Ratio
from finscribe_trainer.metrics.tables import Table, line_item_table
from finscribe_trainer.metrics.teds import teds
from finscribe_trainer.metrics.validation_gates import run_gates

__all__ = ["DocumentScore", "Ratio", "ceiling_gates", "score_document"]

TEXT_FIELD = "text"
"""Name of the single field of an answer in plain text, HTML or OTSL."""


@dataclass(frozen=True)
class DocumentScore:
    """Scores of one document. A metric with denominator 0 does not apply to it."""

    metrics: dict[DocumentMetric, Ratio]
    """Every metric."""
    fields: dict[str, Ratio]
    """Field accuracy of each field of the ground truth: `line_items.quantity`."""
    regions: dict[str, Ratio]
    """Field accuracy of each page region with a field in the ground truth."""
    gates: dict[str, bool | None]
    """Whether the answer passes each validation gate, in order; None where a gate does not apply."""
    extra: dict[str, Ratio]
    """`parse_rate_repaired`, `numeric_accuracy_1_percent`, `numeric_precision`."""
    errors: dict[str, ErrorCounts]
    """Numbers of errors by kind, of each field that has any."""

    def to_json(self) -> dict[str, Any]:
        """The score as a JSON value; a ratio is a list of two numbers, the errors of a field of three."""
        return {
            name: {key: list(value) if isinstance(value, tuple) else value for key, value in part.items()}
            for name, part in vars(self).items()
        }

    @classmethod
    def from_json(cls, data: Any) -> "DocumentScore":
        """The score from the output of `to_json`.

        Raises:
            ValueError: `data` is not a score.
        """
        try:
            ratios = {
                name: {str(key): Ratio(*map(float, pair)) for key, pair in data[name].items()}
                for name in ("metrics", "fields", "regions", "extra")
            }
            if not all(
                math.isfinite(part) for group in ratios.values() for pair in group.values() for part in pair
            ):
                raise ValueError("a metric is not finite")
            named = ratios.pop("metrics")
            metrics = {metric: named[metric] for metric in DocumentMetric}
            errors = {str(key): ErrorCounts(*map(int, kinds)) for key, kinds in data["errors"].items()}
            return cls(metrics=metrics, gates=dict(data["gates"]), errors=errors, **ratios)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"is not a document's score: {error!r}") from None


def score_document(gold: str, predicted: str) -> DocumentScore:
    """Score a model's answer to one document against the ground truth; never raises.

    If the ground truth is a JSON object or list, the answer is parsed as JSON and repaired if needed. Any
    other ground truth (plain text, an HTML or OTSL table) is a single text field. Time is bounded for every
    answer: each metric has a size limit beyond which it gives a lower bound.
    """
    gold_answer = parse_answer(gold)
    if _is_document(gold_answer):
        predicted_answer = parse_answer(predicted)
        tables = line_item_table(gold_answer.value), line_item_table(predicted_answer.value)
        return _score(gold_answer, predicted_answer, tables, run_gates(gold_answer, predicted_answer))
    gold_answer, predicted_answer = _text(gold), _text(predicted)
    return _score(gold_answer, predicted_answer, (_text_table(gold), _text_table(predicted)), {})


def ceiling_gates(gold: str) -> dict[str, bool | None]:
    """Which gates the ground truth itself passes: the upper bound for any model."""
    answer = parse_answer(gold)
    return run_gates(answer, answer) if _is_document(answer) else {}


def _is_document(answer: ParsedAnswer) -> bool:
    return answer.strict and isinstance(answer.raw, dict | list)


def _text(text: str) -> ParsedAnswer:
    value = {TEXT_FIELD: normalize_text(text)} if len(text) <= MAX_CHARACTERS else None
    return ParsedAnswer(text, value, strict=False, readable=False)


def _text_table(text: str) -> Table:
    if len(text) > MAX_CHARACTERS:
        return Table()
    return read_otsl(text) if "<nl>" in text or "<fcel>" in text else read_html(text)


def _score(
    gold: ParsedAnswer, predicted: ParsedAnswer, tables: tuple[Table, Table], gates: dict[str, bool | None]
) -> DocumentScore:
    leaves = list(align(gold.value, predicted.value))
    exact, close = numeric_accuracy(leaves)
    applies = [passed for passed in gates.values() if passed is not None]
    metrics = {
        DocumentMetric.field_accuracy: field_accuracy(leaves),
        DocumentMetric.field_f1: field_f1(gold.value, predicted.value),
        DocumentMetric.nted: Ratio(nted(gold.value, predicted.value), 1) if leaves else NOT_APPLICABLE,
        DocumentMetric.anls_star: Ratio(anls_star(gold.value, predicted.value), 1)
        if leaves
        else NOT_APPLICABLE,
        DocumentMetric.teds_score: Ratio(teds(*tables), 1) if tables[0].nodes else NOT_APPLICABLE,
        DocumentMetric.teds_structure_score: (
            Ratio(teds(*tables, structure_only=True), 1) if tables[0].nodes else NOT_APPLICABLE
        ),
        DocumentMetric.numeric_accuracy: exact,
        DocumentMetric.validation_pass_rate: Ratio(float(all(applies)), 1)
        if len(applies) > 1
        else NOT_APPLICABLE,
        DocumentMetric.parse_rate: Ratio(float(predicted.strict), 1) if gates else NOT_APPLICABLE,
    }
    extra = {
        "parse_rate_repaired": Ratio(float(predicted.readable), 1) if gates else NOT_APPLICABLE,
        "numeric_accuracy_1_percent": close,
        "numeric_precision": numeric_precision(exact.numerator, predicted.value),
    }
    errors = count_errors(leaves, predicted.value)
    return DocumentScore(metrics, by_field(leaves), by_region(leaves), gates, extra, errors)
