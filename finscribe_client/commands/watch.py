"""`finscribe watch`: a live view of a job."""

import sys

import click
from rich.console import Console
from rich.live import Live

from finscribe_client.commands.ending import EXIT_FAILED
from finscribe_client.commands.options import HELP_SETTINGS, job_argument, on_cluster_or_local
from finscribe_client.description import describe
from finscribe_client.errors import ClientError
from finscribe_client.history import losses_of_log
from finscribe_client.jobs import Job
from finscribe_client.reader import Reader
from finscribe_client.watch_view import Losses, build_view
from finscribe_core.api.v1alpha1 import State
from finscribe_core.texts import printable


@click.command(context_settings=HELP_SETTINGS)
@job_argument
@click.option(
    "--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Longest time; without end by default."
)
@on_cluster_or_local
def watch(reader: Reader, *, job: str, timeout: float | None) -> None:
    """Watch a job until it has ended: state, progress, losses with a curve.

    Ctrl+C ends the view, not the job. Without a terminal, a line is printed for each change.

    \b
    Exit codes:  0 complete or suspended   1 failed   78 user error (no such job, rights)
                 75 the cluster does not answer, --timeout has passed, or Ctrl+C

    \b
    Examples:
      finscribe watch invoices
      finscribe watch invoices --local
    """  # noqa: D301 - click reads \b as "keep these lines"
    console = Console()
    last = (show_live if console.is_terminal else _print_lines)(reader, job, timeout, console)
    for line in describe(last):
        console.print(printable(line), highlight=False, markup=False, soft_wrap=True)
    if last.state in (State.Failed, State.Invalid):
        sys.exit(EXIT_FAILED)


def show_live(reader: Reader, name: str, timeout: float | None, console: Console) -> Job:
    """Draw the job until it has ended; returns it as it is then."""
    job = reader.get(name)
    losses = Losses(_known_losses(reader, job))
    with Live(build_view(job, losses), console=console, transient=True, auto_refresh=False) as live:
        for job in reader.follow(name, timeout):
            losses.add(job)
            live.update(build_view(job, losses), refresh=True)
    return job


def _known_losses(reader: Reader, job: Job) -> list[tuple[int, float]]:
    """Those of the log, so that the curve begins with the run; none if the log can't be read."""
    try:
        points = losses_of_log(reader, job, job.runs[0].name) if job.runs else []
    except ClientError:
        return []
    return [(point.step, point.loss) for point in points if point.loss is not None]


def _print_lines(reader: Reader, name: str, timeout: float | None, console: Console) -> Job:
    before = None
    for job in reader.follow(name, timeout):
        now = job.state, job.explanation[0], job.status.progress.percent
        if now != before:
            before = now
            loss = job.status.metrics.train_loss
            text = f"{job.name}: {now[0]} {now[1]} {now[2]}%" + (f" loss {loss}" if loss else "")
            console.print(printable(text), highlight=False, markup=False, soft_wrap=True)
    return job
