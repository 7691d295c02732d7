"""Finds the character spans of an answer's values: JSON fields, table cells and numbers."""

import re
from contextlib import suppress
from json import JSONDecoder
from typing import NamedTuple

from finscribe_trainer.documents.numbers import load_json
from finscribe_trainer.documents.paths import field_of
from finscribe_trainer.documents.schema import Document
from finscribe_trainer.metrics.fields import read_number

TABLES = ("line_items", "transactions")
"""Fields of the schema that are lists of table rows: their values are table cells."""


class ValueSpan(NamedTuple):
    """A value's characters in an answer, from `start` to before `end`, and its kind."""

    start: int
    end: int
    path: str = ""
    """The path in the document (`line_items[0].quantity`); empty outside JSON."""
    is_number: bool = False
    is_cell: bool = False

    @property
    def field(self) -> str:
        """The path without list indices."""
        return field_of(self.path)


def find_value_spans(answer: str) -> list[ValueSpan]:
    """The spans of all values of a JSON answer, without quotes; of other texts, of numbers and table cells.

    In JSON, a number is what numeric accuracy scores; `metadata` and `bbox`, which are never scored, are
    neither numbers nor cells. In other texts, cells are those of OTSL and HTML tables.
    """
    try:
        load_json(answer)
    except ValueError:
        return _text_spans(answer)
    spans: list[ValueSpan] = []
    _walk(answer, _skip(answer, 0), "", spans)
    return spans


def find_spans_before_error(answer: str) -> list[ValueSpan]:
    """The spans of the values of invalid JSON up to its first error, such as the end of one that was cut off.

    A text before the JSON, such as a code fence, is skipped.
    """
    spans: list[ValueSpan] = []
    first = min((at for at in map(answer.find, "{[") if at >= 0), default=None)
    if first is not None:
        with suppress(ValueError, IndexError, RecursionError):
            _walk(answer, first, "", spans)
    return spans


_NUMBER = re.compile(r"<[^<>]*>|(?P<number>(?:(?<!\w)[-+−])?[0-9]+(?:[.,'’][0-9]+)*%?)")
"""A tag, which is skipped, or a number."""
_CELL = re.compile(
    r"<[felux]cel>(?P<otsl>[^<]*(?:<(?!nl>|[felux]cel>)[^<]*)*)"
    r"|<t[dh]\b[^>]*>(?P<html>.*?)(?=</?t[dhr]\b|</table|\Z)",
    re.DOTALL | re.IGNORECASE,
)


def _text_spans(text: str) -> list[ValueSpan]:
    numbers = [ValueSpan(*match.span("number"), is_number=True) for match in _NUMBER.finditer(text)]
    cells = [ValueSpan(*match.span(match.lastgroup or 0), is_cell=True) for match in _CELL.finditer(text)]
    return [value for value in (*numbers, *cells) if value.start >= 0]


_SPACE = re.compile(r"\s*")
_DECODER = JSONDecoder()


def _walk(text: str, at: int, path: str, spans: list[ValueSpan]) -> int:
    """Append the spans of all values in the JSON value that starts at `at`; returns its end."""
    if text[at] == "{":
        return _walk_object(text, at, path, spans)
    if text[at] == "[":
        return _walk_list(text, at, path, spans)
    value, end = _DECODER.raw_decode(text, at)
    if isinstance(value, str):
        spans.append(_leaf(path, at + 1, end - 1, value))
    else:
        spans.append(_leaf(path, at, end, text[at:end]))
    return end


def _walk_object(text: str, at: int, path: str, spans: list[ValueSpan]) -> int:
    at = _skip(text, at + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        colon = _skip(text, at)
        if not isinstance(name, str) or text[colon] != ":":
            raise ValueError("not JSON")
        at = _walk(text, _skip(text, colon + 1), f"{path}.{name}" if path else name, spans)
        at = _next(text, at)
    return at + 1


def _walk_list(text: str, at: int, path: str, spans: list[ValueSpan]) -> int:
    at, index = _skip(text, at + 1), 0
    while text[at] != "]":
        at = _next(text, _walk(text, at, f"{path}[{index}]", spans))
        index += 1
    return at + 1


def _next(text: str, at: int) -> int:
    """The position of the next element, or of the closing bracket."""
    at = _skip(text, at)
    return _skip(text, at + 1) if text[at] == "," else at


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    assert space is not None
    return space.end()


def _leaf(path: str, start: int, end: int, value: str) -> ValueSpan:
    field = field_of(path)
    names = field.split(".")
    if set(names) & set(Document.never_scored):
        return ValueSpan(start, end, path)
    return ValueSpan(start, end, path, read_number(field, value) is not None, names[0] in TABLES)
