"""Writes and prints the results of a sweep: trials.json, best.yaml, sweep.html, sweep.png, a table."""

import io
import json
from pathlib import Path
from typing import Any

import click
import matplotlib as mpl
import optuna
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from optuna.trial import FrozenTrial, TrialState
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from finscribe_core.atomic_files import write_atomically
from finscribe_core.look.colours import LIGHT
from finscribe_core.look.line_chart import Line
from finscribe_trainer.runtime.plot_style import STYLE
from finscribe_trainer.tuning.experiments.folder import best_by
from finscribe_trainer.tuning.experiments.training import write_settings
from finscribe_trainer.tuning.pages.page import Page, PageTable, Section, render
from finscribe_trainer.tuning.sweep.space import Parameter, changed
from finscribe_trainer.tuning.sweep.sweep import BEST_FILE, HTML_FILE, JSON_FILE, PLOT_FILE, Sweep

_SHOWN = 10
_POINT, _BEST = LIGHT["base"], LIGHT["tuned"]


def best_trial(sweep: Sweep, study: optuna.Study) -> FrozenTrial | None:
    """The best completed trial; None when there is none."""
    return best_by(sweep.base.early_stopping.metric, _complete(study), lambda trial: trial.value)


def write_sweep(sweep: Sweep, study: optuna.Study) -> list[Path]:
    """Write all trials, page, plot, and the config of the best trial, if there is one; returns the paths."""
    trials = [
        {
            "number": trial.number,
            "state": trial.state.name.lower(),
            "value": trial.value,
            "overrides": sweep.overrides_of(trial),
            "evaluations": trial.intermediate_values,
        }
        for trial in study.trials
    ]
    best = best_trial(sweep, study)
    data = {
        "metric": str(sweep.base.early_stopping.metric),
        "best": best.number if best else None,
        "trials": trials,
    }
    write_atomically(sweep.folder / JSON_FILE, json.dumps(data, indent=2).encode() + b"\n")
    write_atomically(sweep.folder / PLOT_FILE, draw(sweep, study))
    write_atomically(sweep.folder / HTML_FILE, render(_page(sweep, study)))
    paths = [sweep.folder / JSON_FILE, sweep.folder / HTML_FILE, sweep.folder / PLOT_FILE]
    if best:
        write_settings(changed(sweep.base, sweep.overrides_of(best)), sweep.folder / BEST_FILE)
        paths.append(sweep.folder / BEST_FILE)
    return paths


def show(sweep: Sweep, study: optuna.Study, paths: list[Path]) -> None:
    """Print the best trials, and how to train with the best settings."""
    metric = sweep.base.early_stopping.metric
    table = Table(box=SIMPLE)
    for head in ("Trial", str(metric), *(parameter.path for parameter in sweep.space)):
        table.add_column(head, justify="right")
    for trial in _ranked(sweep, study)[:_SHOWN]:
        cells = [_short(value) for value in sweep.overrides_of(trial).values()]
        table.add_row(str(trial.number), f"{trial.value:.5g}", *map(escape, cells))
    Console().print(table)
    click.echo(_counted(study))
    if best := best_trial(sweep, study):
        click.echo(f"Best: {_flags(sweep, best)}")
        click.echo(f"Train: finscribe train --config {sweep.folder / BEST_FILE}")
    click.echo(f"Written: {', '.join(map(str, paths))}.")


def _page(sweep: Sweep, study: optuna.Study) -> Page:
    metric, best = sweep.base.early_stopping.metric, best_trial(sweep, study)
    headline = f"Best {metric}: {best.value:.4g}, trial {best.number}." if best else "No trial has completed."
    trials = _complete(study)
    pick = max if metric.greater_is_better else min
    values = [trial.value or 0.0 for trial in trials]
    so_far = [(trial.number, pick(values[: i + 1])) for i, trial in enumerate(trials)]
    found = [(trial.number, value) for trial, value in zip(trials, values, strict=True)]
    lines = [
        Line("trials", "base", found, dashed=True),
        Line("best so far", "tuned", so_far, best.number if best else None),
    ]
    head = ["Trial", str(metric), *(parameter.path for parameter in sweep.space)]
    rows = [
        [str(trial.number), f"{trial.value:.5g}", *map(_short, sweep.overrides_of(trial).values())]
        for trial in _ranked(sweep, study)
    ]
    sections = [Section("By trial", lines, ("trial", str(metric)))] if trials else []
    sections += [Section("Completed trials, the best first", table=PageTable(head, rows))] if rows else []
    notes = [_counted(study), *([f"Best: {_flags(sweep, best)}"] if best else [])]
    return Page("Hyperparameter sweep", headline, notes, sections)


def _ranked(sweep: Sweep, study: optuna.Study) -> list[FrozenTrial]:
    greater_is_better = sweep.base.early_stopping.metric.greater_is_better
    return sorted(_complete(study), key=lambda trial: trial.value or 0.0, reverse=greater_is_better)


def _counted(study: optuna.Study) -> str:
    counts = {state: sum(t.state is state for t in study.trials) for state in TrialState}
    return (
        f"{counts[TrialState.COMPLETE]} trials completed, {counts[TrialState.PRUNED]} were pruned, "
        f"{counts[TrialState.FAIL]} failed."
    )


def _flags(sweep: Sweep, trial: FrozenTrial) -> str:
    return " ".join(f"--set {path}={json.dumps(v)}" for path, v in sweep.overrides_of(trial).items())


def draw(sweep: Sweep, study: optuna.Study) -> bytes:
    """A PNG: the metric by trial, with the best so far; then the metric by each setting's value."""
    trials = _complete(study)
    best = best_by(sweep.base.early_stopping.metric, trials, lambda trial: trial.value)
    with mpl.rc_context(STYLE):
        columns = min(3, 1 + len(sweep.space))
        rows = -(-(1 + len(sweep.space)) // columns)
        canvas = Figure(figsize=(4 * columns, 3.2 * rows), dpi=130, layout="constrained")
        history, *slices = canvas.subplots(rows, columns, squeeze=False).flat
        _history(history, sweep, trials)
        for axes, parameter in zip(slices, sweep.space, strict=False):
            _slice(axes, parameter, trials, best)
        for axes in slices[len(sweep.space) :]:
            axes.set_visible(False)
        file = io.BytesIO()
        canvas.savefig(file, format="png")
    return file.getvalue()


def _history(axes: Axes, sweep: Sweep, trials: list[FrozenTrial]) -> None:
    metric = sweep.base.early_stopping.metric
    numbers = [trial.number for trial in trials]
    values = [trial.value or 0.0 for trial in trials]
    pick = max if metric.greater_is_better else min
    axes.scatter(numbers, values, color=_POINT, s=22)
    axes.step(numbers, [pick(values[: i + 1]) for i in range(len(values))], where="post", color=_BEST)
    axes.set_xlabel("trial")
    axes.set_ylabel(str(metric))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _slice(axes: Axes, parameter: Parameter, trials: list[FrozenTrial], best: FrozenTrial | None) -> None:
    for trial in trials:
        at = _coordinate(parameter.value(trial.params[parameter.path]))
        axes.scatter(
            [at],
            [trial.value or 0.0],
            color=_BEST if trial is best else _POINT,
            s=60 if trial is best else 22,
        )
    axes.set_xlabel(parameter.path)
    if getattr(parameter.distribution, "log", False):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0), numticks=8))
        axes.xaxis.set_major_formatter(lambda place, _: f"{place:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())


def _complete(study: optuna.Study) -> list[FrozenTrial]:
    return [trial for trial in study.trials if trial.state is TrialState.COMPLETE]


def _coordinate(value: Any) -> Any:
    """The coordinate of a value: a number itself, anything else as text."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else json.dumps(value)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else json.dumps(value)
