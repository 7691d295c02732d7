"""Exact numbers: JSON is read without binary floats, and a number has a size one can compute with."""

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

MAX_DEPTH = 100
"""Objects and lists within each other: what walks through a value calls itself once for each."""
MAX_DIGITS = 30
"""Digits before and behind the point together: `1e999999` is a short text, and a huge number."""


HALF_PAIR = "a text holds half a surrogate pair (\\ud800 to \\udfff), which is no character"
_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")


class NumberError(ValueError):
    """A value is no number that a document may hold; the message says why."""


def read_decimal(value: object) -> Decimal:
    """The number that a JSON value stands for: a number, or a text that is a plain decimal ("1204.50").

    Raises:
        NumberError: it is none, is not finite, or has more than MAX_DIGITS digits.

    >>> read_decimal("1204.50"), read_decimal(3)
    (Decimal('1204.50'), Decimal('3'))
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise NumberError('must be a number, or a plain decimal such as "1204.50"')
    if isinstance(value, str) and (not value.isascii() or "_" in value or value != value.strip()):
        raise NumberError('must be a plain decimal such as "1204.50"')
    if isinstance(value, int) and abs(value) >= 10**MAX_DIGITS:
        raise NumberError(f"has more than {MAX_DIGITS} digits")
    try:
        number = Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        raise NumberError('must be a plain decimal such as "1204.50"') from None
    if not number.is_finite():
        raise NumberError("must be a finite number")
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    if len(digits) + abs(exponent) > MAX_DIGITS:
        raise NumberError(f"has more than {MAX_DIGITS} digits")
    return number


def load_json(text: str) -> Any:
    """JSON with exact numbers: fractions come as Decimal.

    Raises:
        ValueError: it is not strict JSON (NaN and Infinity are none, either), or is nested deeper than
            MAX_DEPTH.
    """
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if text.count("[") + text.count("{") > MAX_DEPTH and _is_deep(value):
        raise ValueError("nested too deeply")
    return value


def holds_half_pair(text: str) -> bool:
    r"""Whether a text holds half a surrogate pair, or is JSON that escapes one: no file could hold that.

    >>> holds_half_pair('{"a": "\ud83d"}'), holds_half_pair('{"a": "\ud83d\ude00"}')
    (True, False)
    """
    if not _HALF_PAIR.search(text):
        return False
    try:
        text.encode()
        dump_json(load_json(text)).encode()
    except UnicodeEncodeError:
        return True
    except ValueError:
        pass  # a free text is no JSON
    return False


def _is_deep(value: Any) -> bool:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        nested = (part.values() if isinstance(part, dict) else part for part in level)
        level = [item for part in nested for item in part if isinstance(item, dict | list)]
        if not level:
            return False
    return True


def dump_json(value: Any) -> str:
    """The JSON text of what `load_json` read, every number as it was: 1204.50 stays 1204.50.

    Raises:
        TypeError: a value is nothing that JSON has.

    >>> dump_json(load_json('{"total": 1204.50}'))
    '{"total": 1204.50}'
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_mark_decimal)
    return _MARKED.sub(r"\1", text)


def _mark_decimal(value: object) -> str:
    if not isinstance(value, Decimal):
        raise TypeError(f"JSON has no {type(value).__name__}")
    return f"\0{value}\0"


_MARKED = re.compile(r'"\\u0000(-?[0-9][0-9.E+-]*)\\u0000"')
"""A Decimal on its way through json.dumps, which would write only binary floats as numbers."""


def _exact(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError("a number's exponent is too large") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_float=_exact, parse_constant=_refuse_constant)
