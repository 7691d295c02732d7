"""Plots experiments: validation losses, and the document metric of each tuned model."""

import io

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from finscribe_core.look.colours import LIGHT, colour_of_run
from finscribe_trainer.evaluation.report.labels import LABELS
from finscribe_trainer.runtime.plot_style import STYLE
from finscribe_trainer.tuning.experiments.results import Experiments, Trained


def draw(experiments: Experiments) -> bytes:
    """A PNG: the validation loss by step; beside it, where documents were evaluated, their metric with its
    95 % interval.
    """
    evaluated = [run for run in experiments.runs if run.figure]
    with mpl.rc_context(STYLE):
        height = max(4.0, 1.2 + 0.35 * len(experiments.runs))
        canvas = Figure(figsize=(11 if evaluated else 7, height), dpi=130, layout="constrained")
        panels = canvas.subplots(1, 2 if evaluated else 1, squeeze=False)[0]
        colours = _colours(experiments)
        _losses(panels[0], experiments, colours)
        if evaluated:
            _intervals(panels[1], experiments, evaluated, colours)
        file = io.BytesIO()
        canvas.savefig(file, format="png")
    return file.getvalue()


def _colours(experiments: Experiments) -> dict[str, str]:
    return {run.name: LIGHT[colour_of_run(place)] for place, run in enumerate(experiments.runs)}


def _losses(axes: Axes, experiments: Experiments, colours: dict[str, str]) -> None:
    for run in experiments.runs:
        if not run.evaluations:
            continue
        steps, losses = zip(*((e.step, e.loss) for e in run.evaluations), strict=True)
        width = 2.2 if run is experiments.runs[0] else 1.4
        axes.plot(steps, losses, color=colours[run.name], linewidth=width, label=run.name)
        if run.best:
            axes.plot([run.best.step], [run.best.loss], "o", color=colours[run.name], markersize=5)
    axes.set_xlabel("step (dot: the exported adapter)")
    axes.set_ylabel("validation loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if axes.lines:
        axes.legend(frameon=False)


def _intervals(axes: Axes, experiments: Experiments, runs: list[Trained], colours: dict[str, str]) -> None:
    for row, run in enumerate(runs):
        assert run.figure
        axes.plot([run.figure.low, run.figure.high], [row, row], color=colours[run.name], linewidth=2)
        axes.plot([run.figure.value], [row], "o", color=colours[run.name], markersize=7)
    axes.set_yticks(range(len(runs)), [run.name for run in runs])
    axes.set_ylim(len(runs) - 0.5, -0.5)
    low, high = (
        min(run.figure.low for run in runs if run.figure),
        max(run.figure.high for run in runs if run.figure),
    )
    axes.set_xlim(max(-0.01, low - 0.05), min(1.01, high + 0.05))  # no share is below 0 or above 1
    axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    axes.set_xlabel(f"{LABELS[experiments.judged_by]}, {experiments.documents} documents, 95 % interval")
