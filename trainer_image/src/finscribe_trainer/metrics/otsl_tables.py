"""Tables in OTSL, which PaddleOCR-VL answers to `Table Recognition:`."""

import re
from collections.abc import Callable
from itertools import takewhile
from statistics import median_low

from finscribe_trainer.metrics.tables import Cell, Section, Table

_CELL = re.compile(r"<([felux])cel>([^<]*(?:<(?![felux]cel>)[^<]*)*)")
_Grid = list[list[tuple[str, str]]]
"""A letter and a text for each place: f filled, e empty; covered from left l, from above u, from both x."""


def read_otsl(text: str) -> Table:
    """The table that OTSL stands for; what precedes a row's first cell is left out.

    Rows are brought to one width as PaddleX does for this model: the width that adds and cuts the fewest
    cells, but never cuts a filled one. A covered place that no cell reaches becomes an empty cell.

    Source: Lysak et al. 2023, "Optimized Table Tokenization for Table Structure Recognition"; PaddleX,
    `convert_otsl_to_html`.
    """
    grid: _Grid = [cells for line in text.split("<nl>") if (cells := _CELL.findall(line))]
    if not grid:
        return Table()
    filled = max((index + 1 for row in grid for index, (kind, _) in enumerate(row) if kind == "f"), default=0)
    width = max(filled, median_low(map(len, grid)))
    grid = [row[:width] + [("e", "")] * (width - len(row)) for row in grid]
    covered: set[tuple[int, int]] = set()
    rows = tuple(
        tuple(
            _cell(grid, y, x, covered)
            for x, (kind, _) in enumerate(row)
            if kind in "fe" or (y, x) not in covered
        )
        for y, row in enumerate(grid)
    )
    return Table((Section(None, rows),))


def _cell(grid: _Grid, y: int, x: int, covered: set[tuple[int, int]]) -> Cell:
    """The cell at row y, column x; the places that it covers are added to `covered`."""
    kind, text = grid[y][x]
    if kind not in "fe":
        return Cell()
    colspan = 1 + _count(lambda right: grid[y][x + right][0] in "lx", len(grid[y]) - x)
    rowspan = 1 + _count(lambda down: grid[y + down][x][0] in "ux", len(grid) - y)
    covered.update((row, column) for row in range(y, y + rowspan) for column in range(x, x + colspan))
    return Cell(text.strip() if kind == "f" else "", colspan, rowspan)


def _count(covers: Callable[[int], bool], end: int) -> int:
    return sum(1 for _ in takewhile(covers, range(1, end)))
