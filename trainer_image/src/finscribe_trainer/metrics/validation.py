"""Whether an answer is valid by itself: gates in order, each of which needs those before it."""

from typing import Any

from pydantic import ValidationError

from finscribe_trainer.documents.arithmetic import check_arithmetic
from finscribe_trainer.documents.paths import field_of, leaves
from finscribe_trainer.documents.schema import DOCUMENT_TYPES, parse_document
from finscribe_trainer.metrics.answer import Answer
from finscribe_trainer.metrics.normal_form import NUMBER_FIELDS

GATES = ("json", "schema", "arithmetic", "required")
"""Strict JSON; the canonical schema; the sums; the numbers that the right answer has are there."""


def run_gates(gold: Answer, predicted: Answer) -> dict[str, bool | None]:
    """Which gates an answer passes, in the order of GATES; after one that fails, all fail.

    The gates behind `json` are None (they do not apply) when the right answer is no document of the canonical
    schema's types.
    """
    passed: dict[str, bool | None] = {"json": predicted.strict}
    applies = isinstance(gold.raw, dict) and gold.raw.get("document_type") in DOCUMENT_TYPES
    if not applies:
        return passed | dict.fromkeys(GATES[1:])
    passed["schema"] = predicted.strict and _keeps_schema(predicted.raw)
    passed["arithmetic"] = passed["schema"] and not check_arithmetic(predicted.raw)
    passed["required"] = passed["arithmetic"] and _number_fields(gold.value) <= _number_fields(
        predicted.value
    )
    return passed


def _keeps_schema(data: Any) -> bool:
    try:
        parse_document(data)
    except (ValidationError, RecursionError):
        return False
    return True


def _number_fields(value: Any) -> set[str]:
    """Fields of numbers that have a value, without positions in lists."""
    fields = (field_of(path) for path, _ in leaves(value))
    return {field for field in fields if field.rpartition(".")[2] in NUMBER_FIELDS}
