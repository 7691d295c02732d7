"""`finscribe promote`: make latest.json name a run."""

import click

from finscribe_client.client import Client
from finscribe_client.commands.bucket_options import endpoint_option
from finscribe_client.commands.options import HELP_SETTINGS, on_cluster


@click.command(context_settings=HELP_SETTINGS)
@click.argument("run")
@click.option("--force", is_flag=True, help="Also if the run did not pass its gate.")
@click.option("--dry-run", is_flag=True, help="Only check that it could be done.")
@endpoint_option
@on_cluster
def promote(client: Client, *, run: str, force: bool, dry_run: bool, endpoint: str | None) -> None:
    """Make latest.json name a run, such as an earlier one after a bad one.

    Writes latest.json below the job's output.uri, with your credentials of the bucket. The job is not
    changed: its next run that passes its gate is named again. If the job comes from Git, rather revert the
    commit.

    \b
    Exit codes:  0 done   78 user error (no such run, no result, its gate)   75 the storage does not answer

    \b
    Examples:
      finscribe promote invoices-1a2b3c4d
      finscribe promote invoices-1a2b3c4d --dry-run
    """  # noqa: D301 - click reads \b as "keep these lines"
    changed = client.promote(run, force=force, dry_run=dry_run, endpoint=endpoint)
    note = " (dry run)" if dry_run else ""
    click.echo(f"latest.json {'names' if changed else 'already names'} {run.rpartition('/')[2]}{note}.")
