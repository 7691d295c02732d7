"""`finscribe retry`: start a failed run again."""

import click

from finscribe_client.client import Client
from finscribe_client.commands.options import HELP_SETTINGS, dry_run_option, job_argument, on_cluster


@click.command(context_settings=HELP_SETTINGS)
@job_argument
@dry_run_option
@on_cluster
def retry(client: Client, *, job: str, dry_run: bool) -> None:
    """Start a failed run again, from its last checkpoint.

    Sets the annotation finscribe.io/retry to the present time.

    \b
    Exit codes:  0 done   78 user error (no such failed job, rights)   75 the cluster does not answer

    \b
    Example:
      finscribe retry invoices
    """  # noqa: D301 - click reads \b as "keep these lines"
    client.retry(job, dry_run=dry_run)
    click.echo(f"{job} is tried again. Next: finscribe watch {job}")
