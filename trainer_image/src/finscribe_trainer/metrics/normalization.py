"""Normalizes answers for comparison: to objects and lists with texts as leaves."""

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

MAX_DEPTH = 64
"""Nesting depth of objects and lists; deeper answers are not scored."""
_PLAIN = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")


class TooDeepError(ValueError):
    """A value is nested deeper than MAX_DEPTH."""


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, bool]]:
    """Names of the fields of a model of the schema, recursively, and whether each is a number."""
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


_IS_NUMBER = {
    name: number for model in (Invoice, Receipt, Statement, PurchaseOrder) for name, number in _fields(model)
}
NUMBER_FIELDS = frozenset(name for name, number in _IS_NUMBER.items() if number)
"""Names of the schema's number fields: `quantity`, `line_total`, ..."""
TEXT_FIELDS = frozenset(_IS_NUMBER) - NUMBER_FIELDS
"""Names of the schema's text fields: `zip`, `invoice_number`, ...; in these, 0042 differs from 42."""


def normalize_answer(value: Any, name: str = "", depth: int = 0) -> Any:
    """Normalize a JSON value from `load_json`; None when nothing of it is scored.

    Texts: Unicode NFKC, stripped, white space collapsed to single spaces. Numbers, and texts that are plain
    decimals outside the schema's text fields: without trailing zeros. Booleans are `true` and `false`. Null
    and empty texts, objects and lists count as absent; `metadata` and `bbox` are never scored.

    Args:
        value: the JSON value.
        name: the key that holds it, directly or through lists.
        depth: its nesting depth.

    Raises:
        TooDeepError: it is nested deeper than MAX_DEPTH.

    >>> normalize_answer({"total": 12.50, "zip": "0420", "note": " a  b ", "po": None, "bbox": [1, 2, 3, 4]})
    {'total': '12.5', 'zip': '0420', 'note': 'a b'}
    """
    if isinstance(value, dict | list) and depth >= MAX_DEPTH:
        raise TooDeepError
    if isinstance(value, dict):
        items = (
            (str(key), normalize_answer(item, str(key), depth + 1))
            for key, item in value.items()
            if key not in Document.never_scored
        )
        return {key: item for key, item in items if item is not None} or None
    if isinstance(value, list):
        return [
            item for item in (normalize_answer(item, name, depth + 1) for item in value) if item is not None
        ] or None
    return _leaf(value, name)


def _leaf(value: Any, name: str) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return _number(value)
    text = normalize_text(value)
    if name not in TEXT_FIELDS and len(text) < 40 and _PLAIN.fullmatch(text):
        return _number(text)
    return text or None


def _number(value: Any) -> str:
    """A number without trailing zeros; unchanged if it has too many digits."""
    try:
        text = f"{read_decimal(value):f}"
    except (NumberError, ValueError):
        return str(value)[:100]
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def normalize_text(text: str) -> str:
    """Unicode NFKC, stripped, with white space collapsed to single spaces."""
    return " ".join((text if text.isascii() else unicodedata.normalize("NFKC", text)).split())
