"""Reads dates and amounts as documents of many countries write them."""

import re
from decimal import Decimal
from typing import Literal

from finscribe_trainer.documents.schema import iso_date

Mark = Literal[".", ","]

_MONTHS = {
    **{"jan": 1, "feb": 2, "mar": 3, "mär": 3, "mae": 3, "apr": 4, "may": 5, "mai": 5, "jun": 6, "jul": 7},
    **{"aug": 8, "sep": 9, "oct": 10, "okt": 10, "nov": 11, "dec": 12, "dez": 12},
}
_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ].*)?")
_YEAR_LAST = re.compile(r"(\d{1,2})([-/. ])(\d{1,2})\2(\d{4}|\d{2})")
_DAY_NAME = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?[. -]*([^\W\d]{3,})[,. -]*(\d{4})")
_NAME_DAY = re.compile(r"([^\W\d]{3,})[. ]*(\d{1,2})(?:st|nd|rd|th)?,? *(\d{4})")
_CURRENCIES = {"€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY", "₹": "INR", "zł": "PLN", "Kč": "CZK"}
_SYMBOL = "|".join(map(re.escape, _CURRENCIES))
_AMOUNT = re.compile(
    rf"(?:{_SYMBOL}|[A-Z]{{3}})?\s*(\(?[-+−]?)\s*(?:{_SYMBOL})?\s*([\d.,'’\s]*\d)(-?\)?)\s*(?:%|{_SYMBOL}|[A-Z]{{3}})?"
)
_CODE = re.compile(r"\b([A-Z]{3})\b")


class DocumentValueError(ValueError):
    """A value can't be converted; the message completes "FIELD ..."."""


def to_iso(text: str, *, day_first: bool) -> str:
    """A date as YYYY-MM-DD.

    Args:
        text: the date, in digits or with the name of the month in English or German.
        day_first: whether 01/02/2026 is in February; with points, the day is always first.

    Raises:
        DocumentValueError: it is none.

    >>> to_iso("31.01.2026", day_first=False), to_iso("Jan 31, 2026", day_first=True)
    ('2026-01-31', '2026-01-31')
    """
    text = text.strip()
    if found := _YEAR_FIRST.fullmatch(text):
        year, month, day = found.groups()
    elif found := _YEAR_LAST.fullmatch(text):
        first, separator, second, year = found.groups()
        day, month = (first, second) if day_first or separator == "." else (second, first)
    elif found := _DAY_NAME.fullmatch(text):
        day, month, year = found[1], _month(found[2]), found[3]
    elif found := _NAME_DAY.fullmatch(text):
        day, month, year = found[2], _month(found[1]), found[3]
    else:
        raise DocumentValueError(f"{text[:40]!r} is no date that is understood")
    date = f"{'20' if len(year) == 2 else ''}{year}-{int(month):02}-{int(day):02}"
    try:
        return iso_date(date)
    except ValueError:
        raise DocumentValueError(f"{text[:40]!r} is not a calendar date") from None


def _month(name: str) -> str:
    return str(_MONTHS.get(name[:3].lower(), 0))


def order_of_days(text: str) -> bool | None:
    """Whether a date shows that the day is first (True) or the month (False); None if it may be both."""
    found = _YEAR_LAST.fullmatch(text.strip())
    if not found or found[2] == ".":
        return None
    first, second = int(found[1]), int(found[3])
    return first > 12 if (first > 12) != (second > 12) else None


def to_decimal(value: object, mark: Mark) -> object:
    """An amount as a plain decimal; JSON numbers are unchanged.

    Raises:
        DocumentValueError: it is none, or is written with another decimal mark.

    >>> to_decimal("1.204,50 €", ","), to_decimal("(1,204.50)", "."), to_decimal("CHF 12", ".")
    ('1204.50', '-1204.50', '12')
    """
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return value
    text = str(value).strip()
    found = _AMOUNT.fullmatch(text)
    digits = re.sub(r"[\s'’]", "", found[2]) if found else ""
    group, point = ("," if mark == "." else "."), re.escape(mark)
    if not found or not re.fullmatch(rf"(\d{{1,3}}({re.escape(group)}\d{{3}})+|\d+)({point}\d+)?", digits):
        raise DocumentValueError(f"{text[:40]!r} is no amount with {mark!r} before the decimals")
    negative = found[1].strip("(+") != "" or found[1].startswith("(") or found[3].startswith("-")
    return ("-" if negative else "") + digits.replace(group, "").replace(mark, ".")


def mark_of(text: str) -> Mark | None:
    """The decimal mark that an amount shows; None if it has no one or two decimals."""
    found = re.search(r"\d([.,])\d{1,2}(?!\d)\D*$", text)
    return "," if found and found[1] == "," else "." if found else None


def currency_of(text: str) -> str | None:
    """The ISO code of the currency in an amount."""
    if code := _CODE.search(text):
        return code[1]
    return next((code for symbol, code in _CURRENCIES.items() if symbol in text), None)
