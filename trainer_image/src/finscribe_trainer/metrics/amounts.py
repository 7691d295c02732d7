"""Parses printed numbers with the separators, currencies and signs of many countries."""

import re
import unicodedata
from decimal import Decimal

from finscribe_trainer.documents.numbers import NumberError, read_decimal

MAX_CHARACTERS = 64
"""Longer texts are not amounts."""
_CURRENCY = r"[A-Z]{3}|US\$|R\$|C\$|A\$|kr\.?|zł|Kč|Ft|lei|Rs\.?|Fr\.?|S/|RM|[$€£¥₣₤₦₧₨₩₪₫₭₮₱₲₴₵₸₹₺₽₾₿¢]"
_AMOUNT = re.compile(
    rf"(?P<open>\()?(?P<sign>[+-])?(?:{_CURRENCY})?(?P<sign2>[+-])?(?P<digits>[0-9][0-9.,']*|[.,][0-9]+)"
    rf"(?P<mark>(?:{_CURRENCY})|%)?(?P<sign3>-)?(?P<close>\))?"
)
_GROUPED = re.compile(r"[0-9]{1,3}(?:[.,'][0-9]{2,3})*[.,'][0-9]{3}")
_MINUS = str.maketrans({"−": "-", "–": "-", "’": "'", "‘": "'", "`": "'"})


def read_amount(text: str) -> Decimal | None:
    """The number in a text, or None when the text is not a number.

    A currency (symbol or three-letter code) may come before or after the digits, a percent sign after them;
    parentheses, or a minus at either end, mean a negative number. If both points and commas occur, the last
    one is the decimal separator. A separator that occurs several times separates thousands. A single point
    is a decimal point, as in plain decimals; a single comma separates thousands if exactly three digits
    follow and the number does not start with 0, else it is a decimal comma. Spaces and apostrophes separate
    thousands.

    >>> [str(read_amount(text)) for text in ("1.204,50 €", "$1,204.50", "(12.5)", "1'204", "N/A")]
    ['1204.50', '1204.50', '-12.5', '1204', 'None']
    """
    if len(text) > MAX_CHARACTERS:
        return None
    text = unicodedata.normalize("NFKC", text).translate(_MINUS)
    text = re.sub(r"(?<=[0-9])\s+(?=[0-9]{3}(?![0-9]))", "'", text.strip())
    match = _AMOUNT.fullmatch(re.sub(r"\s+", "", text) if not re.search(r"[0-9]\s+[0-9]", text) else text)
    if match is None or bool(match["open"]) != bool(match["close"]):
        return None
    plain = _plain(match["digits"])
    if plain is None:
        return None
    signs = [sign for sign in (match["sign"], match["sign2"], match["sign3"], match["open"]) if sign]
    if len(signs) > 1:
        return None
    try:
        number = read_decimal(plain)
    except NumberError:
        return None
    return -number if signs and signs[0] in "-(" else number


def _plain(digits: str) -> str | None:
    """Digits with a decimal point and no other separators, or None when the separators are inconsistent."""
    point, comma = digits.rfind("."), digits.rfind(",")
    if point >= 0 and comma >= 0:
        decimal = "." if point > comma else ","
    elif point >= 0:
        decimal = "." if digits.count(".") == 1 else ""
    elif comma >= 0:
        thousands = digits.count(",") > 1 or (_GROUPED.fullmatch(digits) and not digits.startswith("0"))
        decimal = "" if thousands else ","
    else:
        decimal = ""
    whole, _, fraction = digits.partition(decimal) if decimal else (digits, "", "")
    if not (whole.isdigit() or not whole or _GROUPED.fullmatch(whole)) or (
        fraction and not fraction.isdigit()
    ):
        return None
    whole = re.sub(r"[.,']", "", whole)
    return f"{whole or '0'}.{fraction}" if fraction else whole
