"""What is wrong with an answer by itself."""

from collections.abc import Iterator
from typing import Any, TypeGuard

from finscribe_trainer.data_tools.validate.schemas import Check, load_schema
from finscribe_trainer.documents.arithmetic import check_arithmetic
from finscribe_trainer.documents.numbers import load_json
from finscribe_trainer.documents.problems import Problem
from finscribe_trainer.documents.schema import iso_date


class AnswerCheck:
    """Checks answers against a schema; those of the canonical one must add up, too.

    Args:
        schema: as `load_schema` takes it.
    """

    def __init__(self, schema: str | None) -> None:
        self._keeps_schema: Check | None
        self._keeps_schema, self._canonical = load_schema(schema)

    def check(self, answer: str) -> tuple[Any, list[Problem]]:
        """The answer's JSON (None when it has none), and what is wrong with it."""
        try:
            data = load_json(answer)
        except ValueError as error:
            # Free texts are no JSON, and need not be.
            return None, [] if self._keeps_schema is None else [Problem("answer-json", "", f"{error}")]
        if self._keeps_schema is None:
            return data, []
        problems = self._keeps_schema(data)
        if self._canonical:
            problems += [*check_arithmetic(data), *_check_dates(data)]
        return data, problems


def _check_dates(data: Any) -> Iterator[Problem]:
    if not isinstance(data, dict):
        return
    issued, due = data.get("issue_date"), data.get("due_date")
    # ISO dates sort as texts; what is none has a finding of its own.
    if _is_date(issued) and _is_date(due) and due < issued:
        yield Problem("due-before-issue", "due_date", f"{due} is before issue_date {issued}")


def _is_date(value: Any) -> TypeGuard[str]:
    try:
        return isinstance(value, str) and iso_date(value) == value
    except ValueError:
        return False
