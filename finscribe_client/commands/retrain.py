"""`finscribe retrain`: start a new run."""

import click

from finscribe_client.client import Client
from finscribe_client.commands.options import HELP_SETTINGS, dry_run_option, job_argument, on_cluster


@click.command(context_settings=HELP_SETTINGS)
@job_argument
@click.option(
    "--trigger", metavar="TEXT", help="Value of spec.retrain.trigger, such as a commit; the time by default."
)
@dry_run_option
@on_cluster
def retrain(client: Client, *, job: str, trigger: str | None, dry_run: bool) -> None:
    """Train a job again from the start, though nothing has changed.

    Sets spec.retrain.trigger. The present run is replaced, or waited for: see
    spec.retrain.onSpecChange. Earlier results stay.

    \b
    Exit codes:  0 done   78 user error (no such job, rights)   75 the cluster does not answer

    \b
    Examples:
      finscribe retrain invoices
      finscribe retrain invoices --trigger 2026-03
    """  # noqa: D301 - click reads \b as "keep these lines"
    client.retrain(job, trigger, dry_run=dry_run)
    click.echo(f"{job} starts a new run. Next: finscribe watch {job}")
