"""Draws tables: columns fit their content, and the description takes the remaining width."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from finscribe_trainer.data_tools.synthetic.fonts import Face
from finscribe_trainer.data_tools.synthetic.layout import BLACK, RULE, Align, Canvas, Colour, PageFullError
from finscribe_trainer.data_tools.synthetic.text_runs import Line, plain, wrap


@dataclass(frozen=True)
class Column:
    """A column; rows have its cells under its key."""

    key: str
    label: str
    align: Align = "left"
    takes_rest: bool = False
    """Whether this column takes the remaining width and wraps its lines; true for one column."""


Cells = Mapping[str, Sequence[Line]]
"""A row: the lines of each cell by its column's key."""


@dataclass(frozen=True)
class TableStyle:
    """The style of a table; parts with colour None are not drawn."""

    head_fill: Colour | None = None
    head_ink: Colour = BLACK
    head_rule: Colour | None = BLACK
    upper: bool = False
    """Whether column labels are in capitals."""
    row_rule: Colour | None = None
    zebra: Colour | None = None
    grid: Colour | None = None
    """Rules between columns and around the table."""
    end_rule: Colour | None = RULE
    pad: int = 4
    """Vertical padding of cells, in pixels at a font size of 14."""
    min_height: int = 0
    """Smallest height of the table in pixels; the rest is empty."""


@dataclass(frozen=True)
class _Table:
    """Shared state for drawing the header and the rows."""

    page: Canvas
    columns: Sequence[Column]
    style: TableStyle
    face: Face
    edges: Sequence[int] = ()
    """The x of every column's left edge, and the last one's right edge."""

    def label(self, column: Column) -> str:
        return column.label.upper() if self.style.upper else column.label

    def room(self, i: int) -> int:
        """Width of a column's text."""
        return self.edges[i + 1] - self.edges[i] - 2 * self.page.inset

    def lines(self, i: int, y: float, lines: Sequence[Line], face: Face, ink: Colour = BLACK) -> None:
        """Draw a cell's text."""
        left, right = self.edges[i] + self.page.inset, self.edges[i + 1] - self.page.inset
        align = self.columns[i].align
        x = {"left": left, "right": right, "center": (left + right) / 2}[align]
        self.page.lines(x, y, lines, face, align=align, ink=ink)


def draw_table(
    page: Canvas,
    span: tuple[float, float],
    top: float,
    columns: Sequence[Column],
    rows: Sequence[Cells],
    style: TableStyle,
) -> float:
    """Draw a table from `span[0]` to `span[1]`; returns the y below it.

    Raises:
        PageFullError: it does not fit at this font size.
    """
    share = page.type_size / 14
    style = replace(style, pad=max(1, round(style.pad * share**2)))  # tighter at smaller font sizes
    table = _Table(page, columns, style, page.face())
    table = replace(table, edges=_edges(table, span, rows))
    y = _draw_head(table, top)
    for index, cells in enumerate(rows):
        y = _draw_row(table, y, index, cells)
    y = max(y, top + style.min_height)
    if style.grid:
        page.frame((span[0], top, span[1] + 1, y + 1), style.grid)
        for edge in table.edges[1:-1]:
            page.upright(edge, top, y, style.grid)
    elif style.end_rule:
        page.rule(*span, y, style.end_rule)
    return y


def _edges(table: _Table, span: tuple[float, float], rows: Sequence[Cells]) -> list[int]:
    """The edges of the columns: as wide as their texts, plus a share of the description's spare width."""
    head, inset, all_of = table.face.other("bold"), table.page.inset, span[1] - span[0]
    widths: list[float] = []
    wishes: list[float] = []
    for column in table.columns:
        lines = [line for cells in rows for line in cells.get(column.key, ())]
        words = [head.width(word) for word in table.label(column).split(" ")]
        widest = max([table.page.width_of(line, table.face) for line in lines] + words)
        widths.append(0 if column.takes_rest else widest + 2 * inset)
        wishes.append(head.width(table.label(column)) + 2 * inset - widths[-1])
    rest = all_of - sum(widths)
    if rest < 0.24 * all_of:
        raise PageFullError("columns")
    for i, column in enumerate(table.columns):  # a label wider than its column is wrapped, or gets more room
        if not column.takes_rest and 0 < wishes[i] < rest - 0.36 * all_of:
            widths[i] += wishes[i]
            rest -= wishes[i]
    narrow = sum(not column.takes_rest for column in table.columns)
    more = max(0.0, min(2.5 * inset, (rest - 0.42 * all_of) / max(1, narrow)))
    edges = [round(span[0])]
    for column, width in zip(table.columns, widths, strict=True):
        edges.append(edges[-1] + round(rest - more * narrow if column.takes_rest else width + more))
    edges[-1] = round(span[1])
    return edges


def _draw_head(table: _Table, top: float) -> float:
    style, head, edges = table.style, table.face.other("bold"), table.edges
    labels = [
        wrap(plain(table.label(column)), head, table.room(i) + 1) for i, column in enumerate(table.columns)
    ]
    bottom = top + max(map(len, labels)) * head.line + 2 * style.pad
    if style.head_fill:
        table.page.fill((edges[0], top, edges[-1], bottom), style.head_fill)
    for i, lines in enumerate(labels):
        table.lines(i, bottom - style.pad - len(lines) * head.line, lines, head, style.head_ink)
    if style.head_rule:
        table.page.rule(edges[0], edges[-1], bottom, style.head_rule)
    return bottom + 1


def _draw_row(table: _Table, top: float, index: int, cells: Cells) -> float:
    page, style, face, edges = table.page, table.style, table.face, table.edges
    texts = []
    for i, column in enumerate(table.columns):
        lines = cells.get(column.key, ())
        if column.takes_rest:
            lines = [part for line in lines for part in wrap(line, face, table.room(i))]
        texts.append(lines)
    bottom = top + max(map(len, texts)) * face.line + 2 * style.pad
    if style.zebra and index % 2:
        page.fill((edges[0], top, edges[-1], bottom), style.zebra)
    for i, lines in enumerate(texts):
        table.lines(i, top + style.pad, lines, face)
    if style.row_rule:
        page.rule(edges[0], edges[-1], bottom, style.row_rule)
        bottom += 1
    return bottom
