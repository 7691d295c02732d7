"""The table that TEDS compares, and the conversion of a document's line items to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from finscribe_trainer.documents.schema import Document, LineItem


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell with its spans."""

    content: Sequence[str] = ""
    """Its text; for text with HTML markup a tuple of characters and tags: ("<b>", "7", "</b>")."""
    colspan: int = 1
    """Columns it covers."""
    rowspan: int = 1
    """Rows it covers."""


Row = tuple[Cell, ...]
"""Its cells from left to right; a cell that spans down from a row above is not repeated."""


@dataclass(frozen=True, slots=True)
class Section:
    """A table section."""

    tag: str | None
    """`thead`, `tbody` or `tfoot`; None for rows directly below the table."""
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Table:
    """A table, from top to bottom; one without sections is empty."""

    sections: tuple[Section, ...] = ()

    @cached_property
    def nodes(self) -> int:
        """Number of tagged sections, rows and cells; tags inside cells are part of a cell's content."""
        return sum(
            (section.tag is not None) + sum(1 + len(row) for row in section.rows) for section in self.sections
        )


_COLUMNS = tuple(name for name in LineItem.model_fields if name not in Document.never_scored)


def line_item_table(document: Any) -> Table:
    """The line items of a document (from `load_json`) as a table: a header row, then one row per line item.

    The columns are the keys that have a value in any line, in the schema's order, followed by keys that are
    not in the schema. The table depends on this document alone: a ground truth's table is the same for every
    prediction. Malformed input becomes an empty cell, row or table.
    """
    lines = document.get("line_items") if isinstance(document, dict) else None
    if not isinstance(lines, list) or not lines:
        return Table()
    items = [line if isinstance(line, dict) else {} for line in lines]
    used = {
        name: None
        for item in items
        for name, value in item.items()
        if value is not None and name not in Document.never_scored
    }
    columns = [name for name in _COLUMNS if name in used]
    columns += [name for name in used if name not in _COLUMNS]
    head = Section("thead", (tuple(map(Cell, columns)),))
    return Table((head, Section("tbody", tuple(_row(item, columns) for item in items))))


def _row(item: dict[str, Any], columns: list[str]) -> Row:
    return tuple(Cell(_text(item.get(name))) for name in columns)


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, dict | list) else str(value)
