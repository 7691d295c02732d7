"""Validation gates of an answer, in order: each requires that the previous ones pass."""

from typing import Any

from pydantic import ValidationError

from finscribe_trainer.documents.arithmetic import check_arithmetic
from finscribe_trainer.documents.paths import field_of, leaves
from finscribe_trainer.documents.schema import DOCUMENT_TYPES, parse_document
from finscribe_trainer.metrics.answer_parsing import ParsedAnswer
from finscribe_trainer.metrics.normalization import NUMBER_FIELDS

GATES = ("json", "schema", "arithmetic", "required")
"""Strict JSON; the canonical schema; the arithmetic; the number fields of the ground truth are present."""


def run_gates(gold: ParsedAnswer, predicted: ParsedAnswer) -> dict[str, bool | None]:
    """Which gates an answer passes, in the order of GATES; all gates after a failed one fail.

    The gates after `json` are None (not applicable) if the ground truth is not a document of the canonical
    schema's types.
    """
    passed: dict[str, bool | None] = {"json": predicted.strict}
    applies = isinstance(gold.raw, dict) and gold.raw.get("document_type") in DOCUMENT_TYPES
    if not applies:
        return passed | dict.fromkeys(GATES[1:])
    passed["schema"] = predicted.strict and _matches_schema(predicted.raw)
    passed["arithmetic"] = passed["schema"] and not check_arithmetic(predicted.raw)
    passed["required"] = passed["arithmetic"] and _number_fields(gold.value) <= _number_fields(
        predicted.value
    )
    return passed


def contradicts_itself(data: Any) -> bool:
    """Whether an answer of one of the schema's document types violates the schema, or does not add up."""
    if not isinstance(data, dict) or data.get("document_type") not in DOCUMENT_TYPES:
        return False
    return not _matches_schema(data) or bool(check_arithmetic(data))


def _matches_schema(data: Any) -> bool:
    try:
        parse_document(data)
    except (ValidationError, RecursionError):
        return False
    return True


def _number_fields(value: Any) -> set[str]:
    """Number fields that have a value, without list indices."""
    fields = (field_of(path) for path, _ in leaves(value))
    return {field for field in fields if field.rpartition(".")[2] in NUMBER_FIELDS}
