"""`finscribe suspend`: stop a run for a while."""

import click

from finscribe_client.client import Client
from finscribe_client.commands.options import HELP_SETTINGS, dry_run_option, job_argument, on_cluster


@click.command(context_settings=HELP_SETTINGS)
@job_argument
@dry_run_option
@on_cluster
def suspend(client: Client, *, job: str, dry_run: bool) -> None:
    """Stop a job's run: it saves a checkpoint and releases its GPUs.

    Sets spec.suspend to true. A tool that applies the job from Git may set it back: change it there.

    \b
    Exit codes:  0 done   78 user error (no such job, rights)   75 the cluster does not answer

    \b
    Example:
      finscribe suspend invoices
    """  # noqa: D301 - click reads \b as "keep these lines"
    client.suspend(job, dry_run=dry_run)
    click.echo(f"{job} is suspended. To go on from its last checkpoint: finscribe resume {job}")
