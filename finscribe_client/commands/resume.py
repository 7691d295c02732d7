"""`finscribe resume`: let a suspended job go on."""

import click

from finscribe_client.client import Client
from finscribe_client.commands.options import HELP_SETTINGS, dry_run_option, job_argument, on_cluster


@click.command(context_settings=HELP_SETTINGS)
@job_argument
@dry_run_option
@on_cluster
def resume(client: Client, *, job: str, dry_run: bool) -> None:
    """Let a suspended job go on from its last checkpoint.

    Sets spec.suspend to false.

    \b
    Exit codes:  0 done   78 user error (no such job, rights)   75 the cluster does not answer

    \b
    Example:
      finscribe resume invoices
    """  # noqa: D301 - click reads \b as "keep these lines"
    client.resume(job, dry_run=dry_run)
    click.echo(f"{job} goes on. Next: finscribe watch {job}")
