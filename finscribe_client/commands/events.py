"""`finscribe events`: what happened to a job."""

from dataclasses import asdict

import click

from finscribe_client.commands.options import HELP_SETTINGS, job_argument, on_cluster_or_local, output_option
from finscribe_client.output import age, print_data, print_table
from finscribe_client.reader import Reader


@click.command(context_settings=HELP_SETTINGS)
@job_argument
@output_option("table", "json", "yaml")
@on_cluster_or_local
def events(reader: Reader, *, job: str, output: str) -> None:
    """Show what happened to a job, its pods and its experiments, in order.

    Kubernetes keeps events for an hour by default; the conditions in `finscribe status` stay.

    \b
    Exit codes:  0 done   78 user error (no such job, rights)   75 the cluster does not answer

    \b
    Examples:
      finscribe events invoices
      finscribe events invoices --output json
    """  # noqa: D301 - click reads \b as "keep these lines"
    found = reader.events(reader.get(job))
    if output != "table":
        print_data([asdict(event) for event in found], output)
        return
    if not found:
        click.echo(f"There are no events of {job} any more.", err=True)
        return
    rows = [
        (
            age(event.time) + (f" (x{event.count})" if event.count > 1 else ""),
            event.type,
            event.reason,
            event.about,
            event.message,
        )
        for event in found
    ]
    print_table(("AGE", "TYPE", "REASON", "OBJECT", "MESSAGE"), rows)
