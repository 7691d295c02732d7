"""`finscribe delete`: delete a job."""

import sys

import click

from finscribe_client.client import Client
from finscribe_client.commands.options import HELP_SETTINGS, dry_run_option, job_argument, on_cluster

EXIT_NOT_CONFIRMED = 1


@click.command(context_settings=HELP_SETTINGS)
@job_argument
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@dry_run_option
@on_cluster
def delete(client: Client, *, job: str, yes: bool, dry_run: bool) -> None:
    """Delete a job with its pods and logs. What is in the bucket stays.

    A run that has not ended saves a checkpoint first. A job that is created again trains from the start.

    \b
    Exit codes:  0 done   78 user error (no such job, rights)   75 the cluster does not answer
                 1 not confirmed, nothing was deleted

    \b
    Examples:
      finscribe delete invoices
      finscribe delete invoices --yes
    """  # noqa: D301 - click reads \b as "keep these lines"
    found = client.get(job)
    uri = found.raw["spec"].get("output", {}).get("uri", "")
    click.echo(f"{found.namespace}/{job} is {found.state}. Its results stay below {uri}.")
    if not (yes or dry_run or click.confirm(f"Delete {found.namespace}/{job}, its pods and logs?")):
        click.echo("Nothing was deleted.")
        sys.exit(EXIT_NOT_CONFIRMED)
    client.delete(job, dry_run=dry_run)
    click.echo(f"{job} deleted" + (" (dry run)." if dry_run else "."))
