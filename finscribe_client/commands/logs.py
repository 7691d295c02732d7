"""`finscribe logs`: what the trainer of a job writes."""

from collections.abc import Iterator

import click

from finscribe_client.commands.options import HELP_SETTINGS, job_argument, on_cluster_or_local
from finscribe_client.errors import ClientError, ClientReason
from finscribe_client.follow import follow_log
from finscribe_client.jobs import Job
from finscribe_client.log_lines import readable
from finscribe_client.pods import LogOptions, Pod, choose_attempt
from finscribe_client.reader import Reader
from finscribe_core.texts import printable


@click.command(context_settings=HELP_SETTINGS)
@job_argument
@click.option(
    "-f", "--follow", is_flag=True, help="Go on, also through later attempts, until the job has ended."
)
@click.option("-p", "--previous", is_flag=True, help="The attempt before the newest one.")
@click.option(
    "--attempt", type=click.IntRange(min=1), help="The attempt of this number; the newest by default."
)
@click.option("--run", "run_name", metavar="RUN", help="An earlier run; the current one by default.")
@click.option(
    "--node", type=click.IntRange(min=0), default=0, help="Number of the node, for a run with several."
)
@click.option("--tail", type=click.IntRange(min=0), metavar="LINES", help="Only the last lines.")
@click.option("--since", type=click.IntRange(min=1), metavar="SECONDS", help="Only lines that are not older.")
@click.option("--raw", is_flag=True, help="The lines as the trainer wrote them: JSON objects.")
@on_cluster_or_local
def logs(  # noqa: PLR0913 - one for each option
    reader: Reader,
    *,
    job: str,
    follow: bool,
    previous: bool,
    attempt: int | None,
    run_name: str | None,
    node: int,
    tail: int | None,
    since: int | None,
    raw: bool,
) -> None:
    """Print the log of a job: of its newest attempt, as text.

    \b
    Exit codes:  0 done   78 user error (no such job or attempt, rights)   75 the cluster does not answer

    \b
    Examples:
      finscribe logs invoices
      finscribe logs invoices --follow
      finscribe logs invoices --previous --tail 50
      finscribe logs invoices --local
    """  # noqa: D301 - click reads \b as "keep these lines"
    if follow and (previous or attempt or run_name):
        raise click.UsageError("--follow is for the newest attempt of the current run.")
    options = LogOptions(follow, tail, since)
    lines: Iterator[str]
    if follow:
        lines = follow_log(reader, job, options, node)
    else:
        found = reader.get(job)
        pod = choose_attempt(_pods(reader, found, run_name), attempt, node, previous=previous)
        if pod.waits_for:
            message = f"The container of {pod.name} has not started: {pod.waits_for}."
            raise ClientError(ClientReason.WrongState, message, f"Wait with `finscribe logs --follow {job}`.")
        lines = reader.log(pod, options)
    for line in lines:
        click.echo(printable(line) if raw else readable(line))


def _pods(reader: Reader, job: Job, run_name: str | None) -> list[Pod]:
    run = job.find_run(run_name) if run_name else next(iter(job.runs), None)
    if run_name and run is None:
        remedy = f"See its runs with `finscribe status {job.name}`."
        raise ClientError(ClientReason.NotFound, f"{job.name} has no run {run_name}.", remedy)
    pods = list(reader.pods(job, run.name)) if run else []
    if not pods:
        reason, message = job.explanation
        why = f"{job.name} is {job.state}" + (f" ({reason}): {message}" if reason else ".")
        raise ClientError(
            ClientReason.NotFound, f"There is no pod with a log. {why}", f"See `finscribe events {job.name}`."
        )
    return pods
