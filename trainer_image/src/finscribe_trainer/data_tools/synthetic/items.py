"""A document's lines as the columns and rows of a table."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from finscribe_trainer.data_tools.synthetic.layout import Canvas
from finscribe_trainer.data_tools.synthetic.made_up import MadeUp
from finscribe_trainer.data_tools.synthetic.runs import Line, Run, plain
from finscribe_trainer.data_tools.synthetic.table import Cells, Column, TableStyle, draw_table


@dataclass(frozen=True)
class ItemStyle:
    """Which columns a table has, and how its cells are written."""

    position: bool
    sku: str
    """In a `column`, `below` the description, or `none`."""
    unit: str
    """In a `column`, `beside` the quantity, or `none`."""
    symbol: bool
    """Amounts with the currency's sign."""
    quantity_first: bool


def pick_items(made: MadeUp, rng: random.Random) -> ItemStyle:
    """A style as it comes; long tables are not made longer by article numbers below the descriptions."""
    long = sum(map(len, made.descriptions)) > 18
    return ItemStyle(
        position=rng.random() < 0.4,
        sku=rng.choice(("column", "column", "column" if long else "below", "none")),
        unit=rng.choice(("column", "beside", "none")),
        symbol=rng.random() < 0.35,
        quantity_first=rng.random() < 0.2,
    )


def draw_items(
    page: Canvas,
    made: MadeUp,
    span: tuple[float, float],
    top: float,
    items: ItemStyle,
    style: TableStyle,
) -> float:
    """Draw the document's lines as a table; returns the y below it."""
    return draw_table(page, span, top, columns(made, items), rows(made, items), style)


def columns(made: MadeUp, style: ItemStyle) -> list[Column]:
    """The columns that this document's lines fill."""
    items, labels = made.document.line_items, made.locale.labels
    if made.document.document_type == "statement":
        return _statement_columns(made)
    has_quantity = any(item.quantity is not None for item in items)
    found = {
        "position": style.position,
        "sku": style.sku == "column" and any(item.sku for item in items),
        "description": True,
        "quantity": has_quantity,
        "unit": style.unit == "column" and has_quantity and any(made.units),
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


def _statement_columns(made: MadeUp) -> list[Column]:
    labels = made.locale.labels
    return [
        *([Column("date", labels["date"])] if made.dates else []),
        Column("description", labels["reference"], takes_rest=True),
        Column("line_total", labels["amount"], "right"),
        Column("balance", labels["balance"], "right"),
    ]


def rows(made: MadeUp, style: ItemStyle) -> list[Cells]:
    """A row for each line, whose cells know their fields.

    A text that is no field (position, unit, date, balance) belongs to the line as a whole.
    """
    locale = made.locale
    found: list[Cells] = []
    balance = Decimal(0)
    statement = made.document.document_type == "statement"

    for i, item in enumerate(made.document.line_items):
        path = f"line_items[{i}]"

        def money(value: Decimal | None, key: str, path: str = path) -> Sequence[Line]:
            if value is None:
                return ()
            text = locale.money(value) if style.symbol else locale.number(value)
            return (plain(text, f"{path}.{key}"),)

        unit = made.units[i] if made.units else ""
        description = [plain(text, f"{path}.description") for text in made.descriptions[i]]
        if item.sku and style.sku == "below" and not statement:
            description.append((Run(f"{locale.labels['sku']} ", path), Run(item.sku, f"{path}.sku")))
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
            quantity = Run(locale.number(item.quantity), f"{path}.quantity")
            beside = style.unit == "beside" and unit
            cells["quantity"] = ((quantity, Run(f" {unit}", path)) if beside else (quantity,),)
        if item.tax_rate is not None:
            cells["line_tax"] = (plain(locale.percent(item.tax_rate), f"{path}.tax_rate"),)
        if statement:
            balance += item.line_total
            cells["balance"] = (
                plain(locale.money(balance) if style.symbol else locale.number(balance), path),
            )
            cells["date"] = (plain(locale.day(made.dates[i]), path),) if made.dates else ()
        found.append(cells)
    return found
