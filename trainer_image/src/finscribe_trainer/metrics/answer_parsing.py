"""Parses a model's answer as strict JSON, or else repairs it to JSON."""

from dataclasses import dataclass
from typing import Any

from json_repair import repair_json

from finscribe_trainer.documents.numbers import load_json
from finscribe_trainer.metrics.normalization import MAX_DEPTH, TooDeepError, normalize_answer

MAX_CHARACTERS = 1_000_000
"""A longer answer is not parsed, and scores 0."""
MAX_REPAIRED_CHARACTERS = 100_000
"""Longer invalid JSON is not repaired."""


@dataclass(frozen=True)
class ParsedAnswer:
    """The result of parsing an answer."""

    raw: Any
    """The JSON value, after repair if needed; None when the answer can't be repaired."""
    value: Any
    """The normalized value; None when nothing of it is scored."""
    strict: bool
    """Whether the answer is strict JSON."""
    readable: bool
    """Whether the answer is strict JSON, or could be repaired to an object or a list."""


def parse_answer(text: str) -> ParsedAnswer:
    """Parse a model's answer; never raises.

    Invalid JSON is repaired by json-repair (truncation, code fences, single quotes, text around the JSON).
    Answers longer than MAX_CHARACTERS are not parsed; those longer than MAX_REPAIRED_CHARACTERS, or with more
    than MAX_DEPTH unclosed brackets, are not repaired.
    """
    if len(text) > MAX_CHARACTERS:
        return ParsedAnswer(None, None, strict=False, readable=False)
    try:
        raw, strict = load_json(text), True
    except ValueError:
        raw, strict = _repair(text), False
    try:
        return ParsedAnswer(raw, normalize_answer(raw), strict, readable=strict or raw is not None)
    except TooDeepError:
        return ParsedAnswer(None, None, strict, readable=False)


def _repair(text: str) -> Any:
    if len(text) > MAX_REPAIRED_CHARACTERS or _unclosed_brackets(text) > MAX_DEPTH:
        return None
    try:
        value = repair_json(text, return_objects=True, skip_json_loads=True)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) and value else None


def _unclosed_brackets(text: str) -> int:
    """Number of unclosed brackets; json-repair's time grows with its square."""
    return text.count("{") + text.count("[") - text.count("}") - text.count("]")
