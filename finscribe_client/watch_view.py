"""The live view of a job: state, progress bar, losses with a sparkline, what it waits for."""

from collections.abc import Sequence

from rich.console import RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from finscribe_client.curve import sparkline
from finscribe_client.jobs import Job
from finscribe_client.output import age, duration
from finscribe_core.api.v1alpha1 import State
from finscribe_core.texts import printable

SPARKLINE_WIDTH = 48
_COLOURS = {
    State.Complete: "green",
    State.Running: "cyan",
    State.Failed: "red",
    State.Invalid: "red",
    State.Retrying: "yellow",
    State.Unknown: "yellow",
}


class Losses:
    """The training losses that were seen, by step."""

    def __init__(self, known: Sequence[tuple[int, float]] = ()) -> None:
        self._by_step = dict(known)

    def add(self, job: Job) -> None:
        """Record the last loss of a job's status."""
        if (loss := job.status.metrics.train_loss) is not None:
            self._by_step[job.status.progress.step] = float(loss)

    @property
    def values(self) -> list[float]:
        """In the order of their steps."""
        return [self._by_step[step] for step in sorted(self._by_step)]


def build_view(job: Job, losses: Losses) -> RenderableType:
    """The view of a job."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for label, value in _rows(job, losses):
        grid.add_row(label, value)
    colour = _COLOURS.get(job.state, "white")
    title = Text.assemble((f"{job.namespace}/{job.name}", "bold"), "  ", (str(job.state), colour))
    return Panel(grid, title=title, title_align="left", border_style=colour)


def _rows(job: Job, losses: Losses) -> list[tuple[str, RenderableType]]:
    status, (reason, message) = job.status, job.explanation
    progress, metrics, run = status.progress, status.metrics, status.run
    rows: list[tuple[str, str]] = [(reason, message)] if reason or message else []
    if run:
        since = f", {age(run.start_time)}" if run.start_time else ""
        rows.append(("run", f"{run.name}, attempt {run.attempts}{since}"))
    if progress.total_steps:
        left = f", {duration(progress.eta_seconds)} left" if progress.eta_seconds else ""
        speed = f", {progress.samples_per_second} samples/s" if progress.samples_per_second else ""
        rows.append(("step", f"{progress.step} of {progress.total_steps} ({progress.percent}%){left}{speed}"))
    if metrics.train_loss:
        rows.append(("loss", f"{metrics.train_loss:10} {sparkline(losses.values, SPARKLINE_WIDTH)}"))
    if metrics.eval_loss:
        best = f", best {metrics.best_eval_loss}" if metrics.best_eval_loss else ""
        base = f", base model {metrics.base_eval_loss}" if metrics.base_eval_loss else ""
        rows.append(("validation", f"{metrics.eval_loss}{best}{base}"))
    if run and run.outputs.uri:
        rows.append(("result", run.outputs.uri))
    shown: list[tuple[str, RenderableType]] = [(label, Text(printable(value))) for label, value in rows]
    if progress.total_steps:
        bar = ProgressBar(total=progress.total_steps, completed=progress.step, width=SPARKLINE_WIDTH)
        shown.insert(0, ("progress", bar))
    return shown
