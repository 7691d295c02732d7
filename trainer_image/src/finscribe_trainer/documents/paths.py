"""Paths of a document's leaf values, and the page region that each field belongs to."""

from collections.abc import Iterator
from typing import Any

_TAX_FIELDS = ("tax_rate", "tax_amount")


def leaves(data: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every scalar with its path, in document order. Null values and empty objects and lists are skipped.

    >>> list(leaves({"a": [{"b": 0}, "x"], "c": None}))
    [('a[0].b', 0), ('a[1]', 'x')]
    """
    if isinstance(data, dict):
        for key, value in data.items():
            yield from leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from leaves(value, f"{path}[{index}]")
    elif data is not None:
        yield path, data


def region_of(path: str) -> str:
    """The page region of a path: vendor, client, line_items, tax, totals, or document for everything else.

    >>> region_of("vendor.address.city"), region_of("financial_summary.tax_rate"), region_of("issue_date")
    ('vendor', 'tax', 'document')
    """
    head, _, rest = path.partition(".")
    head = head.partition("[")[0]
    if head == "financial_summary":
        return "tax" if rest in _TAX_FIELDS else "totals"
    return head if head in ("vendor", "client", "line_items") else "document"


def field_of(path: str) -> str:
    """The field that a path points to, without list indices.

    >>> field_of("line_items[3].unit_price")
    'line_items.unit_price'
    """
    return "".join(part.partition("]")[2] if i else part for i, part in enumerate(path.split("[")))
