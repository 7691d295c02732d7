"""The form in which answers are compared: objects, lists, and texts as leaves."""

import re
import types
import typing
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from finscribe_trainer.documents.numbers import NumberError, read_decimal
from finscribe_trainer.documents.schema import Document, Invoice, PurchaseOrder, Receipt, Statement

Value = "str | list[Value] | dict[str, Value]"
"""A value in normal form."""

MAX_DEPTH = 64
"""Objects and lists within each other; what is nested deeper is not scored."""
_PLAIN = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")


class TooDeepError(ValueError):
    """A value is nested deeper than MAX_DEPTH."""


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, bool]]:
    """Names of the schema's fields below a model, and whether a field is a number."""
    for name, field in model.model_fields.items():
        parts = list(_parts(field.annotation))
        for part in parts:
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from _fields(part)
        yield name, Decimal in parts


def _parts(annotation: Any) -> Iterator[Any]:
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType, list, typing.Annotated):
        for argument in typing.get_args(annotation):
            yield from _parts(argument)
    else:
        yield annotation


_KNOWN = {
    name: number for model in (Invoice, Receipt, Statement, PurchaseOrder) for name, number in _fields(model)
}
NUMBER_FIELDS = frozenset(name for name, number in _KNOWN.items() if number)
"""Names of the schema's numbers: `quantity`, `line_total`, ..."""
TEXT_FIELDS = frozenset(_KNOWN) - NUMBER_FIELDS
"""Names of the schema's texts: `zip`, `invoice_number`, ...; 0042 is another one than 42."""


def normalise(value: Any, name: str = "", depth: int = 0) -> Any:
    """A JSON value (as `load_json` reads it) in normal form; None when nothing of it is scored.

    Texts: Unicode NFKC, white space at the ends dropped and collapsed to one space within. Numbers, and
    texts that are plain decimals outside the schema's text fields: without trailing zeros. Truth values are
    `true` and `false`. null, empty texts, objects and lists count as absent; `metadata` and `bbox` are
    never scored.

    Args:
        value: what JSON holds.
        name: the key it stands under, through lists.
        depth: how deep it is nested.

    Raises:
        TooDeepError: it is nested deeper than MAX_DEPTH.

    >>> normalise({"total": 12.50, "zip": "0420", "note": " a  b ", "po": None, "bbox": [1, 2, 3, 4]})
    {'total': '12.5', 'zip': '0420', 'note': 'a b'}
    """
    if isinstance(value, dict | list) and depth >= MAX_DEPTH:
        raise TooDeepError
    if isinstance(value, dict):
        items = (
            (str(key), normalise(item, str(key), depth + 1))
            for key, item in value.items()
            if key not in Document.never_scored
        )
        return {key: item for key, item in items if item is not None} or None
    if isinstance(value, list):
        return [
            item for item in (normalise(item, name, depth + 1) for item in value) if item is not None
        ] or None
    return _leaf(value, name)


def _leaf(value: Any, name: str) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return _number(value)
    text = normalise_text(value)
    if name not in TEXT_FIELDS and len(text) < 40 and _PLAIN.fullmatch(text):
        return _number(text)
    return text or None


def _number(value: Any) -> str:
    """A number without trailing zeros; one of too many digits as it is written."""
    try:
        text = f"{read_decimal(value):f}"
    except (NumberError, ValueError):
        return str(value)[:100]
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def normalise_text(text: str) -> str:
    """Unicode NFKC, and runs of white space as one space, none at the ends."""
    return " ".join((text if text.isascii() else unicodedata.normalize("NFKC", text)).split())
