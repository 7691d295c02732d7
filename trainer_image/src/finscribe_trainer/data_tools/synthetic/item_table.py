"""Converts a document's line items to the columns and rows of a table."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from finscribe_trainer.data_tools.synthetic.document_content import DocumentContent
from finscribe_trainer.data_tools.synthetic.layout import Canvas
from finscribe_trainer.data_tools.synthetic.table import Cells, Column, TableStyle, draw_table
from finscribe_trainer.data_tools.synthetic.text_runs import Line, TextRun, plain


@dataclass(frozen=True)
class ItemStyle:
    """The columns of a table and the format of its cells."""

    position: bool
    sku: str
    """Position: in a `column`, `below` the description, or `none`."""
    unit: str
    """Position: in a `column`, `beside` the quantity, or `none`."""
    symbol: bool
    """Whether amounts have the currency symbol."""
    quantity_first: bool


def pick_item_style(content: DocumentContent, rng: random.Random) -> ItemStyle:
    """A random style; in long tables, article numbers are never below the descriptions."""
    long = sum(map(len, content.descriptions)) > 18
    return ItemStyle(
        position=rng.random() < 0.4,
        sku=rng.choice(("column", "column", "column" if long else "below", "none")),
        unit=rng.choice(("column", "beside", "none")),
        symbol=rng.random() < 0.35,
        quantity_first=rng.random() < 0.2,
    )


def draw_item_table(
    page: Canvas,
    content: DocumentContent,
    span: tuple[float, float],
    top: float,
    items: ItemStyle,
    style: TableStyle,
) -> float:
    """Draw the document's line items as a table; returns the y below it."""
    return draw_table(page, span, top, columns(content, items), rows(content, items), style)


def columns(content: DocumentContent, style: ItemStyle) -> list[Column]:
    """The columns that have a value in this document."""
    items, labels = content.document.line_items, content.locale.labels
    if content.document.document_type == "statement":
        return _statement_columns(content)
    has_quantity = any(item.quantity is not None for item in items)
    found = {
        "position": style.position,
        "sku": style.sku == "column" and any(item.sku for item in items),
        "description": True,
        "quantity": has_quantity,
        "unit": style.unit == "column" and has_quantity and any(content.units),
        "unit_price": any(item.unit_price is not None for item in items),
        "line_discount": any(item.discount for item in items),
        "line_tax": any(item.tax_rate is not None for item in items),
        "line_total": True,
    }
    order = list(found)
    if style.quantity_first:
        order = [
            "position",
            "quantity",
            "unit",
            *(key for key in order[1:] if key not in ("quantity", "unit")),
        ]
    left = ("sku", "unit", "description")
    return [
        Column(key, labels[key], "left" if key in left else "right", key == "description")
        for key in order
        if found[key]
    ]


def _statement_columns(content: DocumentContent) -> list[Column]:
    labels = content.locale.labels
    return [
        *([Column("date", labels["date"])] if content.dates else []),
        Column("description", labels["reference"], takes_rest=True),
        Column("line_total", labels["amount"], "right"),
        Column("balance", labels["balance"], "right"),
    ]


def rows(content: DocumentContent, style: ItemStyle) -> list[Cells]:
    """A row for each line item, whose cells have field paths.

    Texts that are not fields (position, unit, date, balance) have the path of the whole line.
    """
    locale = content.locale
    found: list[Cells] = []
    balance = Decimal(0)
    statement = content.document.document_type == "statement"

    for i, item in enumerate(content.document.line_items):
        path = f"line_items[{i}]"

        def money(value: Decimal | None, key: str, path: str = path) -> Sequence[Line]:
            if value is None:
                return ()
            text = locale.money(value) if style.symbol else locale.number(value)
            return (plain(text, f"{path}.{key}"),)

        unit = content.units[i] if content.units else ""
        description = [plain(text, f"{path}.description") for text in content.descriptions[i]]
        if item.sku and style.sku == "below" and not statement:
            description.append((TextRun(f"{locale.labels['sku']} ", path), TextRun(item.sku, f"{path}.sku")))
        cells: dict[str, Sequence[Line]] = {
            "position": (plain(str(i + 1), path),),
            "sku": (plain(item.sku, f"{path}.sku"),) if item.sku else (),
            "description": description,
            "unit": (plain(unit, path),) if unit else (),
            "unit_price": money(item.unit_price, "unit_price"),
            "line_discount": money(-item.discount if item.discount else None, "discount"),
            "line_total": money(item.line_total, "line_total"),
        }
        if item.quantity is not None:
            quantity = TextRun(locale.number(item.quantity), f"{path}.quantity")
            beside = style.unit == "beside" and unit
            cells["quantity"] = ((quantity, TextRun(f" {unit}", path)) if beside else (quantity,),)
        if item.tax_rate is not None:
            cells["line_tax"] = (plain(locale.percent(item.tax_rate), f"{path}.tax_rate"),)
        if statement:
            balance += item.line_total
            cells["balance"] = (
                plain(locale.money(balance) if style.symbol else locale.number(balance), path),
            )
            cells["date"] = (plain(locale.day(content.dates[i]), path),) if content.dates else ()
        found.append(cells)
    return found
