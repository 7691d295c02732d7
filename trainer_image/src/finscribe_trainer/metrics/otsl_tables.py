"""Parses tables in OTSL, the format of PaddleOCR-VL's answers to `Table Recognition:`."""

import re
from collections.abc import Callable
from itertools import takewhile
from statistics import median_low

from finscribe_trainer.metrics.tables import Cell, Section, Table

_CELL = re.compile(r"<([felux])cel>([^<]*(?:<(?![felux]cel>)[^<]*)*)")
_Grid = list[list[tuple[str, str]]]
"""Kind and text of each cell: f filled, e empty; merged with the left (l), upper (u) or both cells (x)."""


def read_otsl(text: str) -> Table:
    """Parse OTSL; text before a row's first cell is ignored.

    Rows are padded or truncated to one width as PaddleX does for this model: the width that changes the
    fewest cells without cutting a filled one. A merged cell that no spanning cell reaches becomes empty.

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
    """The cell at row y, column x; adds the grid positions that it spans to `covered`."""
    kind, text = grid[y][x]
    if kind not in "fe":
        return Cell()
    colspan = 1 + _count(lambda right: grid[y][x + right][0] in "lx", len(grid[y]) - x)
    rowspan = 1 + _count(lambda down: grid[y + down][x][0] in "ux", len(grid) - y)
    covered.update((row, column) for row in range(y, y + rowspan) for column in range(x, x + colspan))
    return Cell(text.strip() if kind == "f" else "", colspan, rowspan)


def _count(covers: Callable[[int], bool], end: int) -> int:
    return sum(1 for _ in takewhile(covers, range(1, end)))
