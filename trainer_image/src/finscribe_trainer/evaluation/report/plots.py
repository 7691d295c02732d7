"""Draws the HTML report's plots as SVG, with colors and fonts from the page's CSS."""

import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from finscribe_trainer.evaluation.compare import DocumentComparison, MetricPair, Pair
from finscribe_trainer.evaluation.report.labels import LABELS

WIDTH = 5.0
"""Inches, of 72 units each: narrow, so that text stays legible when a phone scales the plot down."""
# Placeholders, replaced by CSS variables, whose values differ in dark mode.
_INK, _MUTED, _GRID, _BASE, _TUNED, _GOOD, _BAD = (f"#0102{n:02x}" for n in range(7))
_NAMES = {
    _INK: "ink",
    _MUTED: "muted",
    _GRID: "grid",
    _BASE: "base",
    _TUNED: "tuned",
    _GOOD: "good",
    _BAD: "bad",
}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: searchable and accessible
    "text.parse_math": False,  # a field's name may contain a $
    "font.size": 9.5,
    "text.color": _INK,
    "axes.labelcolor": _MUTED,
    "xtick.color": _MUTED,
    "ytick.color": _INK,
    "axes.edgecolor": _GRID,
    "grid.color": _GRID,
    "axes.grid": True,
    "axes.grid.axis": "x",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "ytick.left": False,
}


def metrics_plot(pairs: Sequence[MetricPair]) -> str:
    """Bar chart of the metrics of both models, with 95 % confidence intervals."""
    with mpl.rc_context(_STYLE):
        canvas, axes = _canvas(0.55 + 0.5 * len(pairs))
        for which, colour, offset in (("base", _BASE, -0.19), ("tuned", _TUNED, 0.19)):
            metrics = [getattr(pair, which) for pair in pairs]
            axes.barh(
                [row + offset for row in range(len(pairs))],
                [100 * metric.value for metric in metrics],
                height=0.34,
                color=colour,
                xerr=[
                    [100 * max(0.0, metric.value - metric.low) for metric in metrics],
                    [100 * max(0.0, metric.high - metric.value) for metric in metrics],
                ],
                error_kw={"ecolor": _INK, "elinewidth": 0.9, "capsize": 2},
            )
        _percent_axes(axes, [LABELS[pair.name] for pair in pairs])
        return _svg(canvas, "metrics")


def fields_plot(pairs: Sequence[Pair]) -> str:
    """Dumbbell plot of the fields, from the base model's accuracy to the tuned model's."""
    with mpl.rc_context(_STYLE):
        canvas, axes = _canvas(0.55 + 0.24 * len(pairs))
        for row, pair in enumerate(pairs):
            ends = [100 * pair.base.value, 100 * pair.tuned.value]
            axes.plot(ends, [row, row], color=_BAD if pair.change < 0 else _GRID, linewidth=2.5, zorder=1)
        for which, colour in (("base", _BASE), ("tuned", _TUNED)):
            values = [100 * getattr(pair, which).value for pair in pairs]
            axes.scatter(values, range(len(pairs)), color=colour, s=26, zorder=2, clip_on=False)
        _percent_axes(axes, [_cut(pair.name) for pair in pairs])
        return _svg(canvas, "fields")


def changes_plot(documents: Sequence[DocumentComparison]) -> str:
    """Histogram of the documents' change in field accuracy."""
    edges = range(-105, 106, 10)
    with mpl.rc_context({**_STYLE, "axes.grid.axis": "y", "ytick.color": _MUTED}):
        canvas, axes = _canvas(2.6)
        changes = [100 * document.change for document in documents]
        groups = [
            ([c for c in changes if c < 0], _BAD),
            ([c for c in changes if c == 0], _MUTED),
            ([c for c in changes if c > 0], _GOOD),
        ]
        axes.hist(
            [values for values, _ in groups],
            bins=list(edges),
            stacked=True,
            color=[colour for _, colour in groups],
            rwidth=0.9,
        )
        axes.set_xlim(-106, 106)
        axes.set_xlabel("change in field accuracy, percentage points")
        axes.set_ylabel("documents")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        return _svg(canvas, "changes")


def _canvas(height: float) -> tuple[Canvas, Axes]:
    canvas = Canvas(figsize=(WIDTH, height), layout="constrained")
    return canvas, canvas.add_subplot()


def _percent_axes(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    axes.set_xticks([0, 25, 50, 75, 100], ["0", "25", "50", "75", "100 %"])


def _cut(name: str) -> str:
    """A field's name, truncated at its start: fields differ at their end."""
    return name if len(name) <= 30 else f"…{name[-29:]}"


def _svg(canvas: Canvas, name: str) -> str:
    """The plot as an SVG element: deterministic, and with ids that are unique on the page."""
    file = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with mpl.rc_context({"svg.hashsalt": name}):
        canvas.savefig(file, format="svg", transparent=True, metadata=nothing)
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    for colour, variable in _NAMES.items():
        svg = svg.replace(colour, f"var(--{variable})")
    svg = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    # Size and font come from the page; a style element in here would apply to the whole page.
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(
        r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true">', svg, count=1
    )
    return re.sub(r" font-family: [^;\"]*;", "", svg)
