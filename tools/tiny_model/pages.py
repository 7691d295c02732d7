"""Pages of text in a grid of cells: receipts, small invoices, and lines of any kind."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from finscribe_trainer.data_tools.small_pages.lines import between
from finscribe_trainer.data_tools.small_pages.values import Values


@dataclass(frozen=True)
class PageSize:
    """Columns (an even number: two are one image token) and rows of a page, in characters."""

    columns: int
    rows: int

    def __str__(self) -> str:
        return f"{self.columns}x{self.rows}"


def make_page(size: PageSize, rng: random.Random, *, test: bool) -> list[str]:
    """The rows of a page, each as long as the page is wide; at least one is not blank."""
    values, width = Values(rng, test), size.columns
    left = rng.choice((0, 0, 0, 1)) if width > 12 else 0
    width -= left
    if size.rows >= 6 and rng.random() < 0.6:
        rows = _document(values, width, size.rows)
    else:
        blank = rng.choice((0.0, 0.0, 0.15)) if size.rows > 2 else 0.0
        rows = ["" if rng.random() < blank else _any_line(values, width) for _ in range(size.rows)]
        if not any(rows):
            rows[0] = _any_line(values, width)
    return [(" " * left + row).ljust(size.columns) for row in rows]


def _document(values: Values, width: int, rows: int) -> list[str]:
    """The rows of a receipt or a small invoice: head, lines with amounts, totals, perhaps a footer."""
    rng = values.rng
    head = [_fit(values.word, width, rng.randint(1, 3))]
    if rng.random() < 0.5:
        head[0] = head[0].center(width).rstrip()
    head += [
        line(values, width) for line in rng.sample((_numbered, _dated, _text, _labelled), rng.randint(1, 3))
    ]
    if rng.random() < 0.5:
        head.insert(rng.randint(1, len(head)), "")
    foot = [_labelled(values, width) for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.3:
        foot.append(_text(values, width))
    if rng.random() < 0.4:
        foot.insert(0, "")
    count = max(1, rows - len(head) - len(foot) - rng.choice((0, 0, 0, 1, 2)))
    return [*head, *(_item(values, width) for _ in range(count)), *foot, *[""] * rows][:rows]


def _any_line(values: Values, width: int) -> str:
    return values.rng.choice(_KINDS)(values, width)


def _fit(make: Callable[[], str], width: int, count: int) -> str:
    """Up to `count` texts, as many as fit into the width; the first one is cut if it is too long."""
    text = make()[:width].rstrip()
    for _ in range(count - 1):
        if len(longer := f"{text} {make()}") <= width:
            text = longer
    return text


def _text(values: Values, width: int) -> str:
    return _fit(values.word, width, 1 + width // 6)


def _item(values: Values, width: int) -> str:
    amount = values.amount()
    name = _fit(values.word, max(3, width - len(amount) - 1), 2)
    if values.rng.random() < 0.3:
        name = f"{values.rng.randint(1, 12)} {values.rng.choice(('x ', '', ''))}{name}"
    return between(name, amount, width)


def _labelled(values: Values, width: int) -> str:
    return between(values.label() + values.rng.choice(("", "", ":")), values.amount(), width)


def _dated(values: Values, width: int) -> str:
    return _pair(values, values.day(), width)


def _numbered(values: Values, width: int) -> str:
    return _pair(values, values.number(), width)


def _pair(values: Values, value: str, width: int) -> str:
    """A label and a value, side by side or at the two edges."""
    label = values.label()
    if values.rng.random() < 0.5 and len(label) + len(value) < width:
        return f"{label} {value}"
    return between(label, value, width) if values.rng.random() < 0.8 else value[:width]


_KINDS = (_text, _text, _item, _item, _labelled, _dated, _numbered)
