"""Paths of a document's leaves, and the regions of a page they belong to."""

from collections.abc import Iterator
from typing import Any

REGIONS = ("document", "vendor", "client", "line_items", "tax", "totals")
"""The page's regions: vendor block, client info, line-item table, tax section, totals; and the document's own
head (type, numbers, dates), which belongs to none of the five.
"""
_TAX_FIELDS = ("tax_rate", "tax_amount")


def leaves(data: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every scalar with its path, in order; null counts as absent, an empty object or list has no leaves.

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
    """The region a path belongs to.

    >>> region_of("vendor.address.city"), region_of("financial_summary.tax_rate"), region_of("issue_date")
    ('vendor', 'tax', 'document')
    """
    head, _, rest = path.partition(".")
    head = head.partition("[")[0]
    if head == "financial_summary":
        return "tax" if rest in _TAX_FIELDS else "totals"
    return head if head in ("vendor", "client", "line_items") else "document"


def field_of(path: str) -> str:
    """The field a leaf belongs to, without the positions in lists.

    >>> field_of("line_items[3].unit_price")
    'line_items.unit_price'
    """
    return "".join(part.partition("]")[2] if i else part for i, part in enumerate(path.split("[")))
