"""Lays small documents out in pages of 20 columns and 10 rows, and draws them."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from finscribe_trainer.data_tools.sample.documents import Document, money
from finscribe_trainer.data_tools.small_pages.drawing import character_indices, draw, to_image
from finscribe_trainer.data_tools.small_pages.lines import between

COLUMNS, ROWS = 20, 10


@dataclass(frozen=True)
class Style:
    """What the pages of a data set may look like; each page takes one choice of each.

    Attributes:
        heads: Orders of the lines above the items; "" is a blank row.
        clients: Labels of the buyer.
        numbers: Labels of the document's number, by kind of document.
        dates: Label and format of the date.
        subtotals: Labels of the sum of the lines.
        taxes: Labels of the tax.
        totals: Label and amount of the total.
    """

    heads: tuple[tuple[str, ...], ...]
    clients: tuple[str, ...]
    numbers: Mapping[str, tuple[str, ...]]
    dates: tuple[tuple[str, str], ...]
    subtotals: tuple[str, ...]
    taxes: tuple[str, ...]
    totals: tuple[tuple[str, str], ...]


KNOWN = Style(
    heads=(
        ("vendor", "number", "date", "client"),
        ("vendor", "client", "date", "number"),
        ("date", "vendor", "number", "client"),
        ("date", "number", "vendor", "client"),
        ("vendor", "", "number", "date", "client"),
        ("number", "vendor", "date", "client"),
        ("number", "date", "vendor", "client"),
    ),
    clients=("Bill to", "Client"),
    numbers={"receipt": ("Receipt", "Receipt #"), "invoice": ("Invoice", "Invoice #")},
    dates=(
        ("Date", "%Y-%m-%d"),
        ("Date", "%d.%m.%Y"),
        ("Date:", "%Y/%m/%d"),
        ("", "%Y-%m-%d"),
    ),
    subtotals=("Subtotal", "Net total"),
    taxes=("Tax", "VAT", "Tax {rate}%"),
    totals=(
        ("Total {currency}", "{amount}"),
        ("Total", "{currency} {amount}"),
        ("To pay {currency}", "{amount}"),
    ),
)
"""The pages of training, validation and test."""

NEW = Style(
    heads=(("date", "client", "vendor", "number"),),
    clients=("Buyer",),
    numbers={"receipt": ("Receipt No.",), "invoice": ("Invoice No.",)},
    dates=(("Issued", "%Y.%m.%d"),),
    subtotals=("Sub-total",),
    taxes=("VAT {rate}%",),
    totals=(("Due {currency}", "{amount}"),),
)
"""The pages of the second test: none of these choices occurs in training."""


def lay_out(document: Document, style: Style, rng: random.Random) -> list[str]:
    """The rows of a page, each as long as the page is wide."""
    label, date_format = rng.choice(style.dates)
    lines = {
        "": "",
        "vendor": document.vendor.center(COLUMNS) if rng.random() < 0.5 else document.vendor,
        "number": _pair(rng.choice(style.numbers[document.kind]), document.number, rng),
        "date": _pair(label, document.issued.strftime(date_format), rng),
    }
    if document.client:
        lines["client"] = _pair(rng.choice(style.clients), document.client, rng)
    rows = [lines[name] for name in rng.choice(style.heads) if name in lines]
    rows += [between(item.name, money(item.total), COLUMNS) for item in document.items]
    if document.tax_rate is not None:
        tax = rng.choice(style.taxes).format(rate=document.tax_rate)
        rows.append(between(rng.choice(style.subtotals), money(document.subtotal), COLUMNS))
        rows.append(between(tax, money(document.tax), COLUMNS))
    values = {"amount": money(document.total), "currency": document.currency}
    name, amount = (text.format_map(values) for text in rng.choice(style.totals))
    rows.append(between(name, amount, COLUMNS))
    if len(rows) > ROWS:
        rows.remove("")
    elif len(rows) < ROWS and rng.random() < 0.5:
        rows.insert(len(rows) - (1 if document.tax_rate is None else 3), "")
    return [row.ljust(COLUMNS) for row in (rows + [""] * ROWS)[:ROWS]]


def draw_page(rows: list[str], seed: int) -> Image.Image:
    """The page in a random type face, in grey."""
    [patches] = draw(character_indices([rows]), np.random.default_rng(seed))
    return to_image(patches).convert("L")


def _pair(label: str, value: str, rng: random.Random) -> str:
    """Label and value beside each other, or at the two edges."""
    return f"{label} {value}".lstrip() if rng.random() < 0.5 else between(label, value, COLUMNS)
