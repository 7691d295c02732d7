"""Validates single answers: JSON, schema, arithmetic and dates."""

from collections.abc import Iterator
from typing import Any, TypeGuard

from finscribe_trainer.data_tools.validate.schemas import Check, load_schema
from finscribe_trainer.documents.arithmetic import check_arithmetic
from finscribe_trainer.documents.numbers import load_json
from finscribe_trainer.documents.problems import Problem
from finscribe_trainer.documents.schema import iso_date


class AnswerCheck:
    """Validates answers against a schema and, for the canonical one, their arithmetic and dates.

    Args:
        schema: see `load_schema`.
    """

    def __init__(self, schema: str | None) -> None:
        self._check_schema: Check | None
        self._check_schema, self._canonical = load_schema(schema)

    def check(self, answer: str) -> tuple[Any, list[Problem]]:
        """The answer's JSON value (None if it is not JSON) and its problems."""
        try:
            data = load_json(answer)
        except ValueError as error:
            # Free texts need not be JSON.
            return None, [] if self._check_schema is None else [Problem("answer-json", "", f"{error}")]
        if self._check_schema is None:
            return data, []
        problems = self._check_schema(data)
        if self._canonical:
            problems += [*check_arithmetic(data), *_check_dates(data)]
        return data, problems


def _check_dates(data: Any) -> Iterator[Problem]:
    if not isinstance(data, dict):
        return
    issued, due = data.get("issue_date"), data.get("due_date")
    # ISO dates sort as texts; invalid dates are reported by the schema check.
    if _is_date(issued) and _is_date(due) and due < issued:
        yield Problem("due-before-issue", "due_date", f"{due} is before issue_date {issued}")


def _is_date(value: Any) -> TypeGuard[str]:
    try:
        return isinstance(value, str) and iso_date(value) == value
    except ValueError:
        return False
