"""Draws curves with the characters of a terminal: a sparkline, and a plot of several lines."""

from collections.abc import Sequence
from itertools import pairwise

_BLOCKS = "▁▂▃▄▅▆▇█"
_MARKS = "•x"


def sparkline(values: Sequence[float], width: int) -> str:
    """The last values as a line of bars, each for the mean of several if there are more than `width`.

    >>> sparkline([3, 2, 1, 1], 10), sparkline([4, 4, 2, 2, 0, 0], 3)
    ('█▅▁▁', '█▅▁')
    """
    shown = _means(values, width)
    if not shown:
        return ""
    low, spread = min(shown), max(shown) - min(shown)
    return "".join(_BLOCKS[round((value - low) / spread * 7) if spread else 0] for value in shown)


def plot(curves: Sequence[Sequence[tuple[float, float]]], width: int = 72, height: int = 14) -> str:
    """Points of one or two curves over a common axis; the second one is marked with x.

    >>> print(plot([[(0, 2.0), (10, 1.0)]], width=5, height=3))
           2 ┤•
         1.5 ┤
           1 ┤    •
             └─────
              0  10
    """
    points = [point for curve in curves for point in curve]
    if not points:
        return ""
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    low, high = min(y for _, y in points), max(y for _, y in points)
    cells = [[" "] * width for _ in range(height)]
    for mark, curve in zip(_MARKS, curves, strict=False):
        for x, y in curve:
            column = round((x - left) / (right - left or 1) * (width - 1))
            row = round((high - y) / (high - low or 1) * (height - 1))
            cells[row][column] = mark
    labels = (f"{high - (high - low) * row / (height - 1):8.4g}" for row in range(height))
    rows = [f"{label} ┤{''.join(row)}".rstrip() for label, row in zip(labels, cells, strict=True)]
    ends = f"{left:g}{right:>{width - len(f'{left:g}')}g}"
    return "\n".join([*rows, f"{'':8} └{'─' * width}", f"{'':10}{ends}"])


def _means(values: Sequence[float], width: int) -> list[float]:
    if len(values) <= width:
        return list(values)
    bounds = [round(i * len(values) / width) for i in range(width + 1)]
    groups = (values[start:end] for start, end in pairwise(bounds))
    return [sum(group) / len(group) for group in groups if group]
