"""`finscribe status`: one job."""

import click

from finscribe_client.commands.options import HELP_SETTINGS, job_argument, on_cluster_or_local, output_option
from finscribe_client.description import describe
from finscribe_client.output import print_job
from finscribe_client.reader import Reader
from finscribe_core.texts import printable


@click.command(context_settings=HELP_SETTINGS)
@job_argument
@output_option("text", "json", "yaml", "name", default="text")
@on_cluster_or_local
def status(reader: Reader, *, job: str, output: str) -> None:
    """Show a job: run, progress, losses, evaluation, and what to do next.

    \b
    Exit codes:  0 done   78 user error (no such job, rights)   75 the cluster does not answer

    \b
    Examples:
      finscribe status invoices
      finscribe status invoices --namespace team --output json
    """  # noqa: D301 - click reads \b as "keep these lines"
    found = reader.get(job)
    if output != "text":
        print_job(found, output)
        return
    for line in describe(found):
        click.echo(printable(line))
