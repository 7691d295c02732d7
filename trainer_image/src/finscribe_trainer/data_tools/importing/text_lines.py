"""Joins the texts of boxes on a page to lines, from top to bottom and from left to right."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """A text, and where it is."""

    text: str
    left: float
    top: float
    height: float


def join_lines(boxes: Iterable[Box]) -> str:
    """The text of a page: boxes whose middles are less than half a height apart are in one line."""
    lines: list[list[Box]] = []
    for box in sorted(boxes, key=lambda box: box.top + box.height / 2):
        last = lines[-1][0] if lines else None
        apart = abs(box.top + box.height / 2 - last.top - last.height / 2) if last else 0.0
        if last and apart < min(box.height, last.height) / 2:
            lines[-1].append(box)
        else:
            lines.append([box])
    return "\n".join(
        " ".join(box.text.strip() for box in sorted(line, key=lambda box: box.left)) for line in lines
    )


def box_of_points(text: str, points: Iterable[Iterable[float]]) -> Box:
    """The box around a polygon."""
    xs, ys = zip(*((float(x), float(y)) for x, y in points), strict=True)
    return Box(text, min(xs), min(ys), max(ys) - min(ys))
