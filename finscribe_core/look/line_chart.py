"""Draws lines over a common axis as SVG, in the colours of the page, without another package."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 640, 300
"""Of the drawing, in its own units; the page scales it."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 12, 40
_MAX_POINTS = 400
"""Of a line; of a longer one every n-th point is drawn, and the last."""
_MAX_DOTS = 60
"""A line of few points also shows the points, with their values."""
_LOG_RATIO = 30.0
"""Losses that differ by more than this factor are drawn on a logarithmic axis."""


@dataclass(frozen=True)
class Line:
    """A line of a chart."""

    label: str
    colour: str
    """Name of a colour in `colours.py`."""
    points: Sequence[tuple[float, float]]
    """(x, y), in the order of x; values that are no finite numbers are left out."""
    marked: float | None = None
    """x of a point that is emphasized, such as the best evaluation."""
    dashed: bool = False


def line_chart(lines: Sequence[Line], x_label: str, y_label: str) -> str:
    """The chart as an SVG element with a description for screen readers; empty without a point."""
    shown = [Line(one.label, one.colour, _finite(one.points), one.marked, one.dashed) for one in lines]
    points = [point for one in shown for point in one.points]
    if not points:
        return ""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    is_log = min(ys) > 0 and max(ys) / min(ys) > _LOG_RATIO
    y_axis = _log_axis(min(ys), max(ys)) if is_log else _linear_axis(min(ys), max(ys))
    frame = _Frame(_linear_axis(min(xs), max(xs), exact=True), y_axis, is_log)
    name = f"{y_label} by {x_label}"
    described = "; ".join(_described(one) for one in shown if one.points)
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(f"{name}: {described}")}">',
        *frame.draw(x_label, f"{y_label}, logarithmic" if is_log else y_label),
        *(element for one in shown if one.points for element in _draw(one, frame)),
        "</svg>",
    ]
    return "".join(parts)


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float
    ticks: tuple[float, ...]


@dataclass(frozen=True)
class _Frame:
    x_axis: _Axis
    y_axis: _Axis
    is_log: bool

    def x(self, value: float) -> float:
        """Place of a value between left and right."""
        spread = self.x_axis.high - self.x_axis.low or 1.0
        return _LEFT + (value - self.x_axis.low) / spread * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        """Place of a value between bottom and top."""
        low, high, at = self.y_axis.low, self.y_axis.high, value
        if self.is_log:
            low, high, at = math.log(low), math.log(high), math.log(value)
        return HEIGHT - _BOTTOM - (at - low) / (high - low or 1.0) * (HEIGHT - _TOP - _BOTTOM)

    def draw(self, x_label: str, y_label: str) -> Iterator[str]:
        """Grid, numbers and names of the axes."""
        for tick in self.y_axis.ticks:
            at = f"{self.y(tick):.1f}"
            yield f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{at}" y2="{at}"/>'
            yield f'<text x="{_LEFT - 8}" y="{self.y(tick) + 4:.1f}" text-anchor="end">{tick:.4g}</text>'
        for tick in self.x_axis.ticks:
            yield (
                f'<text x="{self.x(tick):.1f}" y="{HEIGHT - _BOTTOM + 18}" text-anchor="middle">'
                f"{tick:g}</text>"
            )
        yield f'<text x="{WIDTH - _RIGHT}" y="{HEIGHT - 4}" text-anchor="end">{escape(x_label)}</text>'
        yield f'<text x="{_LEFT}" y="{HEIGHT - 4}">{escape(y_label)}</text>'


def _draw(line: Line, frame: _Frame) -> Iterator[str]:
    step = math.ceil(len(line.points) / _MAX_POINTS)
    kept = [*line.points[:-1:step], line.points[-1]]
    stroke = f'stroke="var(--{line.colour})"'
    path = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in kept)
    yield f'<polyline class="curve{" dashed" if line.dashed else ""}" points="{path}" {stroke}/>'
    for x, y in kept if len(kept) <= _MAX_DOTS and not line.dashed else ():
        yield _dot(line, frame, (x, y), 3.0 if len(kept) > 1 else 4.0)
    for x, y in line.points:
        if x == line.marked:
            yield _dot(line, frame, (x, y), 6.0)


def _dot(line: Line, frame: _Frame, point: tuple[float, float], radius: float) -> str:
    x, y = point
    return (
        f'<circle cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="{radius:g}" fill="var(--{line.colour})">'
        f"<title>{escape(line.label)}: {y:.4g} at {x:g}</title></circle>"
    )


def _described(line: Line) -> str:
    (first, began), (last, ended) = line.points[0], line.points[-1]
    return f"{line.label} from {began:.4g} at {first:g} to {ended:.4g} at {last:g}"


def _finite(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]


def _linear_axis(low: float, high: float, *, exact: bool = False) -> _Axis:
    """About five round numbers; the axis ends at the outermost values (`exact`), or at round numbers."""
    spread = high - low or abs(high) or 1.0
    step = _round_up(spread / 5)
    first = math.ceil(low / step) if exact else math.floor(low / step)
    last = math.floor(high / step) if exact else math.ceil(high / step)
    ticks = tuple(round(step * number, 12) for number in range(first, last + 1))
    return _Axis(low, high, ticks) if exact else _Axis(ticks[0], ticks[-1], ticks)


def _log_axis(low: float, high: float) -> _Axis:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    numbers = (factor * 10.0**power for power in powers for factor in (1, 2, 5))
    return _Axis(low, high, tuple(tick for tick in numbers if low <= tick <= high))


def _round_up(value: float) -> float:
    """The next of 1, 2, 2.5, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= value * (1 - 1e-9))
