"""Where an answer's values are, by character: fields of JSON, cells of tables, numbers."""

import re
from json import JSONDecoder
from typing import NamedTuple

from finscribe_trainer.documents.numbers import load_json
from finscribe_trainer.documents.schema import Document
from finscribe_trainer.metrics.fields import read_number

TABLES = ("line_items", "transactions")
"""Names of lists whose values are table cells."""


class Part(NamedTuple):
    """Some characters of an answer, and what they are."""

    start: int
    end: int
    path: str = ""
    """The field, positions in lists left out (`line_items.quantity`); empty outside JSON."""
    is_number: bool = False
    is_cell: bool = False


def answer_parts(answer: str) -> list[Part]:
    """Every value of a JSON answer, without its quotes; of any other text its numbers and table cells.

    Numbers are those that numeric accuracy counts; `metadata` and `bbox`, which it does not, are neither
    numbers nor cells. Cells of other answers are those of OTSL and HTML.
    """
    try:
        load_json(answer)
    except ValueError:
        return _text_parts(answer)
    parts: list[Part] = []
    _walk(answer, _skip(answer, 0), "", parts)
    return parts


_NUMBER = re.compile(r"<[^<>]*>|(?P<number>(?:(?<!\w)[-+−])?[0-9]+(?:[.,'’][0-9]+)*%?)")
"""A tag, which is passed over, or a number."""
_CELL = re.compile(
    r"<[felux]cel>(?P<otsl>[^<]*(?:<(?!nl>|[felux]cel>)[^<]*)*)"
    r"|<t[dh]\b[^>]*>(?P<html>.*?)(?=</?t[dhr]\b|</table|\Z)",
    re.DOTALL | re.IGNORECASE,
)


def _text_parts(text: str) -> list[Part]:
    numbers = [Part(*match.span("number"), is_number=True) for match in _NUMBER.finditer(text)]
    cells = [Part(*match.span(match.lastgroup or 0), is_cell=True) for match in _CELL.finditer(text)]
    return [part for part in (*numbers, *cells) if part.start >= 0]


_SPACE = re.compile(r"\s*")
_DECODER = JSONDecoder()


def _walk(text: str, at: int, path: str, parts: list[Part]) -> int:
    """Add every value within the one that begins at a place; returns where it ends. The text is JSON."""
    if text[at] == "{":
        return _walk_object(text, at, path, parts)
    if text[at] == "[":
        return _walk_list(text, at, path, parts)
    value, end = _DECODER.raw_decode(text, at)
    if isinstance(value, str):
        parts.append(_leaf(path, at + 1, end - 1, value))
    else:
        parts.append(_leaf(path, at, end, text[at:end]))
    return end


def _walk_object(text: str, at: int, path: str, parts: list[Part]) -> int:
    at = _skip(text, at + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        colon = _skip(text, at)
        at = _walk(text, _skip(text, colon + 1), f"{path}.{name}" if path else name, parts)
        at = _next(text, at)
    return at + 1


def _walk_list(text: str, at: int, path: str, parts: list[Part]) -> int:
    at = _skip(text, at + 1)
    while text[at] != "]":
        at = _next(text, _walk(text, at, path, parts))
    return at + 1


def _next(text: str, at: int) -> int:
    """Where the next value begins, or the bracket that closes."""
    at = _skip(text, at)
    return _skip(text, at + 1) if text[at] == "," else at


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    assert space is not None
    return space.end()


def _leaf(path: str, start: int, end: int, value: str) -> Part:
    names = path.split(".")
    if set(names) & set(Document.never_scored):
        return Part(start, end, path)
    return Part(start, end, path, read_number(path, value) is not None, names[0] in TABLES)
