"""Draws the results: field accuracy by learning rate, and beside it for every other setting."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import mean

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.ablations.cells import FEATURES, RANKS, RATES, TARGETS, THE_DEFAULT, Setting, learning_rate
from benchmarks.ablations.results import Recorded, of_setting
from finscribe_trainer.runtime.plot_style import INK, STYLE

PLOT = Path(__file__).parents[2] / "docs" / "images" / "ablations.png"
_COLOURS = {"attention": "#d97706", "all linear": "#2563eb"}
_MARKERS = dict(zip(RANKS, ("o", "s", "^"), strict=True))


@dataclass(frozen=True)
class Point:
    """Field accuracy of a setting over its seeds, from 0 to 1."""

    low: float
    mean: float
    high: float


def point(recorded: Recorded, setting: Setting) -> Point | None:
    """The point of a setting; None if it was not measured."""
    values = [result.field_accuracy for result in of_setting(recorded.results, setting)]
    return Point(min(values), mean(values), max(values)) if values else None


def curves(recorded: Recorded) -> Iterator[tuple[str, int, dict[float, Point]]]:
    """For each kind of adapter its layers, its rank, and the points by learning rate."""
    numbers = [rate for rate in RATES if isinstance(rate, float)]
    for targets, rank in product(TARGETS, RANKS):
        found = {rate: point(recorded, learning_rate(targets, rank, rate)) for rate in numbers}
        yield targets, rank, {rate: value for rate, value in found.items() if value}


def bars(recorded: Recorded) -> dict[str, Point]:
    """The points of the default and of all other settings, by their label."""
    settings = {"default": THE_DEFAULT}
    settings |= {f"{s.row}: {s.name}": s for s in FEATURES if s.key != THE_DEFAULT.key}
    found = {label: point(recorded, setting) for label, setting in settings.items()}
    return {label: value for label, value in found.items() if value}


def write_plot(recorded: Recorded, file: Path = PLOT) -> None:
    """Write the plot as PNG."""
    with mpl.rc_context(STYLE):
        canvas = Figure(figsize=(12, 5), dpi=110, layout="constrained")
        left, right = canvas.subplots(1, 2)
        _draw_curves(left, recorded)
        _draw_bars(right, recorded)
        canvas.savefig(file, format="png")


def _draw_curves(axes: Axes, recorded: Recorded) -> None:
    for targets, rank, points in curves(recorded):
        if points:
            means = [100 * value.mean for value in points.values()]
            around = [
                [100 * (value.mean - value.low) for value in points.values()],
                [100 * (value.high - value.mean) for value in points.values()],
            ]
            label, marker = f"{targets}, rank {rank}", _MARKERS[rank]
            axes.errorbar(
                list(points), means, around, color=_COLOURS[targets], marker=marker, label=label, capsize=2
            )
    axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    axes.set_ylabel("field accuracy, %")
    axes.set_ylim(bottom=0)
    if axes.has_data():
        axes.legend(frameon=False)


def _draw_bars(axes: Axes, recorded: Recorded) -> None:
    found = bars(recorded)
    for row, value in enumerate(found.values()):
        axes.plot([100 * value.low, 100 * value.high], [row, row], color=INK, linewidth=2)
        axes.plot([100 * value.mean], [row], "o", color=INK)
    if "default" in found:
        default = found["default"]
        axes.axvspan(100 * default.low, 100 * default.high, color="#dbeafe", zorder=0)
    axes.set_yticks(range(len(found)), list(found))
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.set_xlabel("field accuracy, %")
