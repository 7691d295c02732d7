"""Reads an answer: as strict JSON, else as JSON that can be repaired."""

from dataclasses import dataclass
from typing import Any

from json_repair import repair_json

from finscribe_trainer.documents.numbers import load_json
from finscribe_trainer.metrics.normal_form import MAX_DEPTH, TooDeepError, normalise

MAX_CHARACTERS = 1_000_000
"""A longer answer is not read: nothing in it is right."""
MAX_REPAIRED_CHARACTERS = 100_000
"""Longer JSON that is broken is not repaired."""


@dataclass(frozen=True)
class Answer:
    """An answer that should be JSON."""

    raw: Any
    """What strict JSON holds, else what repaired JSON holds; None when it is neither."""
    value: Any
    """The same in normal form; None when there is nothing to score."""
    strict: bool
    """It is strict JSON."""
    readable: bool
    """It is strict JSON, or can be repaired to an object or a list."""


def read_answer(text: str) -> Answer:
    """Read a model's answer; never raises.

    The values come from strict JSON; when it is none, from what json-repair makes of it (a cut-off end, a
    code fence, single quotes, words around it). Nothing is read beyond MAX_CHARACTERS, nothing repaired
    beyond MAX_REPAIRED_CHARACTERS or with more than MAX_DEPTH brackets left open.
    """
    if len(text) > MAX_CHARACTERS:
        return Answer(None, None, strict=False, readable=False)
    try:
        raw, strict = load_json(text), True
    except ValueError:
        raw, strict = _repair(text), False
    try:
        return Answer(raw, normalise(raw), strict, readable=strict or raw is not None)
    except TooDeepError:
        return Answer(None, None, strict, readable=False)


def _repair(text: str) -> Any:
    if len(text) > MAX_REPAIRED_CHARACTERS or _left_open(text) > MAX_DEPTH:
        return None
    try:
        value = repair_json(text, return_objects=True, skip_json_loads=True)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) and value else None


def _left_open(text: str) -> int:
    """Brackets that are opened and not closed; json-repair's time grows with their square."""
    return text.count("{") + text.count("[") - text.count("}") - text.count("]")
