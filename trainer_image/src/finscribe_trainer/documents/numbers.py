"""Reads and writes JSON with exact decimal numbers, and limits their size and the nesting depth."""

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

MAX_DEPTH = 100
"""Nesting depth of objects and lists; functions that traverse a value recurse once per level."""
MAX_DIGITS = 30
"""Digits before and after the decimal point together: `1e999999` is short, but costly to compute with."""

UNPAIRED_SURROGATE = "a text contains an unpaired surrogate (\\ud800 to \\udfff), which is not a character"
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")


class NumberError(ValueError):
    """A value is not a number that a document may contain; the message says why."""


def read_decimal(value: object) -> Decimal:
    """The number in a JSON value: a number, or a text that is a plain decimal ("1204.50").

    Raises:
        NumberError: it is not a number, is not finite, or has more than MAX_DIGITS digits.

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
        ValueError: it is not strict JSON (NaN and Infinity are rejected, too), or is nested deeper than
            MAX_DEPTH.
    """
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if text.count("[") + text.count("{") > MAX_DEPTH and _is_deep(value):
        raise ValueError("nested too deeply")
    return value


def has_unpaired_surrogate(text: str) -> bool:
    r"""Whether a text contains an unpaired surrogate, or is JSON that escapes one: UTF-8 can't encode it.

    >>> has_unpaired_surrogate('{"a": "\ud83d"}'), has_unpaired_surrogate('{"a": "\ud83d\ude00"}')
    (True, False)
    """
    if not _SURROGATE.search(text):
        return False
    try:
        text.encode()
        dump_json(load_json(text)).encode()
    except UnicodeEncodeError:
        return True
    except ValueError:
        pass  # not JSON: a backslash sequence in free text is no escape
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
    """The JSON text of a value from `load_json`; numbers keep their digits: 1204.50 stays 1204.50.

    Raises:
        TypeError: a value has a type that JSON does not have.

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
"""A Decimal in the output of json.dumps, marked as a string because json.dumps can only write floats."""


def _exact(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError("a number's exponent is too large") from None


def _reject_constant(name: str) -> None:
    raise ValueError(f"{name} is not valid JSON")


_DECODER = json.JSONDecoder(parse_float=_exact, parse_constant=_reject_constant)
