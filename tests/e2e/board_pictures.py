"""Draws the data of a dashboard's queries with matplotlib, panel by panel; it is no picture of Grafana."""

import re
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.e2e.range_queries import Range
from tools.dashboards.panels import Board, Panel

COLUMNS = 4
MAX_SERIES = 10
"""Lines of a panel; the legend of more would hide them."""


def draw(board: Board, data: Range, folder: Path) -> Path:
    """Write the picture of a dashboard into a folder; panels without data say so."""
    panels = [panel for row in board.rows.values() for panel in row]
    lines = -(-len(panels) // COLUMNS)
    with mpl.rc_context({"font.size": 7, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(4 * COLUMNS, 2.4 * lines), dpi=100, layout="constrained")
        figure.suptitle(f"{board.title}: the data of its queries, drawn with matplotlib (not Grafana)")
        for index, panel in enumerate(panels):
            _draw_panel(figure.add_subplot(lines, COLUMNS, index + 1), panel, data)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{board.uid}.png"
        figure.savefig(path)
    return path


def _draw_panel(axes: Axes, panel: Panel, data: Range) -> None:
    axes.set_title(panel.title + (f" ({panel.unit})" if panel.unit != "short" else ""), loc="left")
    found = [(query.legend, one) for query in panel.queries for one in data.read(query.expr)]
    for legend, series in found[:MAX_SERIES]:
        label = re.sub(r"{{(\w+)}}", lambda name, of=series: of.labels.get(name[1], ""), legend)
        seconds, values = [at - data.began for at, _ in series.points], [value for _, value in series.points]
        axes.plot(seconds, values, label=label, linewidth=1, marker=".", markersize=2)
    axes.set_xlim(0, data.ended - data.began)
    if found:
        axes.legend(fontsize=5, frameon=False)
    else:
        axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", color="gray")
