"""Plots the curve of a range test, and writes it with its data."""

import io
import json
from dataclasses import asdict
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from finscribe_core.atomic_files import write_atomically
from finscribe_core.look.colours import LIGHT
from finscribe_trainer.runtime.plot_style import MUTED, STYLE
from finscribe_trainer.training.range_test.curve import Curve

_LINE, _GOOD, _BAD = LIGHT["train"], LIGHT["good"], LIGHT["bad"]


def draw(curve: Curve, format_: str) -> bytes:
    """Plot loss by learning rate, with the steepest point, the suggestion, and where the loss stops falling.

    Args:
        curve: of the test.
        format_: png, svg or pdf.
    """
    with mpl.rc_context(STYLE):
        canvas = Figure(figsize=(8, 4.5), dpi=150, layout="constrained")
        axes = canvas.add_subplot()
        axes.set_xscale("log")
        axes.set_xlabel("learning rate")
        axes.set_ylabel("training loss")
        axes.plot(curve.learning_rates, curve.losses, color=MUTED, linewidth=0.8, label="loss of each step")
        axes.plot(curve.learning_rates, curve.smoothed, color=_LINE, linewidth=2, label="smoothed")
        _limit(axes, curve)
        _mark(axes, curve)
        axes.set_title(curve.message, fontsize=10, loc="left", wrap=True)
        if curve.losses:
            axes.legend(loc="lower left", frameon=False)
        file = io.BytesIO()
        canvas.savefig(file, format=format_)
    return file.getvalue()


def _limit(axes: Axes, curve: Curve) -> None:
    """Limit the axes to the fall of the loss and the beginning of a divergence."""
    if not curve.losses:
        return
    low, high = min(curve.smoothed), max(curve.smoothed[: max(1, len(curve.smoothed) // 2)])
    room = max(high - low, 0.05 * high)
    axes.set_ylim(low - 0.25 * room, high + 0.5 * room)
    axes.set_xlim(curve.learning_rates[0], curve.learning_rates[-1])


def _mark(axes: Axes, curve: Curve) -> None:
    if curve.range is not None:
        axes.axvspan(*curve.range, color=_GOOD, alpha=0.08, linewidth=0)
    if curve.falls_until is not None:
        axes.axvspan(curve.falls_until, curve.learning_rates[-1], color=_BAD, alpha=0.08, linewidth=0)
        axes.axvline(curve.falls_until, color=_BAD, linewidth=1, label=f"falls until {curve.falls_until:.2g}")
    if curve.steepest is not None:
        height = curve.smoothed[curve.learning_rates.index(curve.steepest)]
        axes.plot(
            [curve.steepest],
            [height],
            "o",
            color=_LINE,
            markersize=8,
            label=f"steepest at {curve.steepest:.2g}",
        )
    if curve.suggestion is not None:
        axes.axvline(
            curve.suggestion,
            color=_GOOD,
            linewidth=1.5,
            linestyle="--",
            label=f"suggestion {curve.suggestion:.2g}",
        )


def write_curve(curve: Curve, output: Path) -> tuple[Path, Path]:
    """Write the plot, and the data beside it as .json; returns both paths."""
    data = output.with_suffix(".json")
    write_atomically(data, json.dumps(asdict(curve), indent=2).encode() + b"\n")
    write_atomically(output, draw(curve, output.suffix.lower().lstrip(".")))
    return output, data
