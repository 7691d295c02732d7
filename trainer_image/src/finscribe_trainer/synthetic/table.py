"""The drawing engine's tables: columns as wide as their numbers, the description takes the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finscribe_trainer.synthetic.fonts import Face
from finscribe_trainer.synthetic.layout import (
    BLACK,
    RULE,
    Align,
    Canvas,
    Colour,
    Line,
    PageFullError,
    plain,
    wrap,
)


@dataclass(frozen=True)
class Column:
    """A column; its cells are found in the rows by its key."""

    key: str
    label: str
    align: Align = "left"
    takes_rest: bool = False
    """The one column that is as wide as the others leave it, and wraps its lines."""


Cells = Mapping[str, Sequence[Line]]
"""A row: for each column's key the lines of its cell."""


@dataclass(frozen=True)
class TableStyle:
    """What a table looks like; a colour of None draws nothing."""

    head_fill: Colour | None = None
    head_ink: Colour = BLACK
    head_rule: Colour | None = BLACK
    upper: bool = False
    """Labels of columns in capitals."""
    row_rule: Colour | None = None
    zebra: Colour | None = None
    grid: Colour | None = None
    """Rules between columns and around the table."""
    end_rule: Colour | None = RULE
    pad: tuple[int, int] = (6, 4)
    """Left and right of a cell's text, and above and below it, in pixels."""
    min_height: int = 0
    """A ruled form goes on, empty, to this height in pixels."""


def draw_table(  # noqa: PLR0913 - where and what
    page: Canvas,
    span: tuple[float, float],
    top: float,
    columns: Sequence[Column],
    rows: Sequence[Cells],
    face: Face,
    style: TableStyle,
) -> float:
    """Draw a table from `span[0]` to `span[1]`; returns the y below it.

    Raises:
        PageFullError: it does not fit; smaller type may.
    """
    edges = _edges(page, span, columns, rows, face, style)
    y = _draw_head(page, top, columns, edges, face, style)
    for index, cells in enumerate(rows):
        y = _draw_row(page, y, index, columns, cells, edges, face, style)
    y = max(y, top + style.min_height)
    if style.grid:
        page.frame((span[0], top, span[1] + 1, y + 1), style.grid)
        for edge in edges[1:-1]:
            page.upright(edge, top, y, style.grid)
    elif style.end_rule:
        page.rule(*span, y, style.end_rule)
    return y


def _edges(  # noqa: PLR0913 - what decides a width
    page: Canvas,
    span: tuple[float, float],
    columns: Sequence[Column],
    rows: Sequence[Cells],
    face: Face,
    style: TableStyle,
) -> list[int]:
    """The x of every column's left edge, and the last one's right edge."""
    head = face.other("bold")
    widths: list[float] = []
    for column in columns:
        lines = [line for cells in rows for line in cells.get(column.key, ())]
        words = _label(column, style).split(" ")
        widest = max([page.width_of(line, face) for line in lines] + [head.width(word) for word in words])
        widths.append(0 if column.takes_rest else widest + 2 * style.pad[0])
    rest = span[1] - span[0] - sum(widths)
    if rest < 0.24 * (span[1] - span[0]):
        raise PageFullError("columns")
    # A label that needs more than its numbers gets it where there is room; else it is wrapped.
    for i, column in enumerate(columns):
        wish = head.width(_label(column, style)) + 2 * style.pad[0] - widths[i]
        if not column.takes_rest and 0 < wish and rest - wish > 0.36 * (span[1] - span[0]):
            widths[i] += wish
            rest -= wish
    edges = [round(span[0])]
    for column, width in zip(columns, widths, strict=True):
        edges.append(edges[-1] + round(rest if column.takes_rest else width))
    edges[-1] = round(span[1])
    return edges


def _label(column: Column, style: TableStyle) -> str:
    return column.label.upper() if style.upper else column.label


def _place(column: Column, left: int, right: int, style: TableStyle) -> float:
    if column.align == "left":
        return left + style.pad[0]
    return right - style.pad[0] if column.align == "right" else (left + right) / 2


def _draw_head(  # noqa: PLR0913 - where and what
    page: Canvas, top: float, columns: Sequence[Column], edges: list[int], face: Face, style: TableStyle
) -> float:
    head = face.other("bold")
    labels = [
        wrap(plain(_label(column, style)), head, edges[i + 1] - edges[i] - 2 * style.pad[0] + 1)
        for i, column in enumerate(columns)
    ]
    bottom = top + max(map(len, labels)) * head.line + 2 * style.pad[1]
    if style.head_fill:
        page.fill((edges[0], top, edges[-1], bottom), style.head_fill)
    for i, column in enumerate(columns):
        y = bottom - style.pad[1] - len(labels[i]) * head.line
        place = _place(column, edges[i], edges[i + 1], style)
        page.lines(place, y, labels[i], head, align=column.align, ink=style.head_ink)
    if style.head_rule:
        page.rule(edges[0], edges[-1], bottom, style.head_rule)
    return bottom + 1


def _draw_row(  # noqa: PLR0913 - where and what
    page: Canvas,
    top: float,
    index: int,
    columns: Sequence[Column],
    cells: Cells,
    edges: list[int],
    face: Face,
    style: TableStyle,
) -> float:
    texts = []
    for i, column in enumerate(columns):
        lines = list(cells.get(column.key, ()))
        if column.takes_rest:
            width = edges[i + 1] - edges[i] - 2 * style.pad[0]
            lines = [part for line in lines for part in wrap(line, face, width)]
        texts.append(lines)
    bottom = top + max(map(len, texts)) * face.line + 2 * style.pad[1]
    if style.zebra and index % 2:
        page.fill((edges[0], top, edges[-1], bottom), style.zebra)
    for i, column in enumerate(columns):
        place = _place(column, edges[i], edges[i + 1], style)
        page.lines(place, top + style.pad[1], texts[i], face, align=column.align)
    if style.row_rule:
        page.rule(edges[0], edges[-1], bottom, style.row_rule)
        bottom += 1
    return bottom
