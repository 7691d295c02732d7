"""Draws field accuracy and validation loss by learning rate, and the field accuracy of all other settings."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from benchmarks.ablations.cells import (
    DEFAULT_RATE,
    FEATURES,
    RANKS,
    RATES,
    TARGETS,
    THE_DEFAULT,
    Setting,
    learning_rate,
)
from benchmarks.ablations.results import Recorded, of_setting
from finscribe_trainer.runtime.plot_style import INK, STYLE

PLOT = Path(__file__).parents[2] / "docs" / "images" / "ablations.png"
_COLOURS = {"attention": "#d97706", "all linear": "#2563eb"}
_MARKERS = dict(zip(RANKS, ("o", "s", "^"), strict=True))
Quantity = Literal["field_accuracy", "eval_loss"]


@dataclass(frozen=True)
class Point:
    """A quantity of a setting over its seeds."""

    low: float
    mean: float
    high: float


def point(recorded: Recorded, setting: Setting, quantity: Quantity) -> Point | None:
    """The point of a setting; None if it was not measured."""
    found = [getattr(result, quantity) for result in of_setting(recorded.results, setting)]
    values = [value for value in found if value is not None]
    return Point(min(values), mean(values), max(values)) if values else None


def curves(recorded: Recorded, quantity: Quantity) -> Iterator[tuple[str, int, dict[float, Point]]]:
    """For each kind of adapter its layers, its rank, and the points by learning rate."""
    numbers = sorted({rate for rate in RATES if isinstance(rate, float)} | {DEFAULT_RATE})
    for targets, rank in product(TARGETS, RANKS):
        found = {rate: point(recorded, learning_rate(targets, rank, rate), quantity) for rate in numbers}
        yield targets, rank, {rate: value for rate, value in found.items() if value}


def bars(recorded: Recorded) -> dict[str, Point]:
    """The field accuracies of the default and of all other settings, by their label."""
    settings = {"default": THE_DEFAULT}
    settings |= {f"{s.row}: {s.name}": s for s in FEATURES if s.key != THE_DEFAULT.key}
    found = {label: point(recorded, setting, "field_accuracy") for label, setting in settings.items()}
    return {label: value for label, value in found.items() if value}


def write_plot(recorded: Recorded, file: Path = PLOT) -> None:
    """Write the plot as PNG."""
    with mpl.rc_context(STYLE):
        canvas = Figure(figsize=(15, 4.6), dpi=90, layout="constrained")
        accuracy, loss, others = canvas.subplots(1, 3)
        _draw_curves(accuracy, recorded, "field_accuracy", "field accuracy")
        _draw_curves(loss, recorded, "eval_loss", "validation loss")
        loss.set_yscale("log")
        _draw_bars(others, recorded)
        for axis in (accuracy.yaxis, others.xaxis):
            axis.set_major_formatter(PercentFormatter(xmax=1))
        canvas.savefig(file, format="png")


def _draw_curves(axes: Axes, recorded: Recorded, quantity: Quantity, label: str) -> None:
    for targets, rank, points in curves(recorded, quantity):
        if points:
            means = [value.mean for value in points.values()]
            below = [value.mean - value.low for value in points.values()]
            above = [value.high - value.mean for value in points.values()]
            axes.errorbar(
                list(points),
                means,
                [below, above],
                color=_COLOURS[targets],
                marker=_MARKERS[rank],
                capsize=2,
                label=f"{targets}, rank {rank}",
            )
    axes.set_xscale("log")
    axes.set_xlabel("learning rate")
    axes.set_ylabel(label)
    if axes.has_data():
        axes.legend(frameon=False)


def _draw_bars(axes: Axes, recorded: Recorded) -> None:
    found = bars(recorded)
    for row, value in enumerate(found.values()):
        axes.plot([value.low, value.high], [row, row], color=INK, linewidth=2)
        axes.plot([value.mean], [row], "o", color=INK)
    if "default" in found:
        axes.axvspan(found["default"].low, found["default"].high, color="#dbeafe", zorder=0)
    axes.set_yticks(range(len(found)), list(found))
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.set_xlabel("field accuracy (shaded: the default's seeds)")
