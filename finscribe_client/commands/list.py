"""`finscribe list`: the jobs of a namespace."""

import click

from finscribe_client.commands.options import HELP_SETTINGS, on_cluster_or_local, output_option
from finscribe_client.output import print_jobs
from finscribe_client.reader import Reader
from finscribe_core.api.v1alpha1 import State


@click.command("list", context_settings=HELP_SETTINGS)
@click.option("-A", "--all-namespaces", is_flag=True, help="Jobs of all namespaces.")
@click.option(
    "-l", "--selector", default="", metavar="LABELS", help="Only jobs with these labels, such as team=tax."
)
@click.option(
    "--state", type=click.Choice([*State]), multiple=True, help="Only jobs in this state; repeatable."
)
@output_option()
@on_cluster_or_local
def list_jobs(
    reader: Reader, *, all_namespaces: bool, selector: str, state: tuple[str, ...], output: str
) -> None:
    """List jobs, with their state and progress.

    \b
    Exit codes:  0 done   78 user error (cluster, rights, namespace)   75 the cluster does not answer

    \b
    Examples:
      finscribe list
      finscribe list --all-namespaces --state Failed --output wide
      finscribe list --local
    """  # noqa: D301 - click reads \b as "keep these lines"
    jobs = reader.list(all_namespaces=all_namespaces, selector=selector)
    found = [job for job in jobs if not state or str(job.state) in state]
    if not found and output in ("table", "wide"):
        click.echo(f"No jobs {'in all namespaces' if all_namespaces else f'in {reader.place}'}.", err=True)
        return
    print_jobs(found, output, with_namespace=all_namespaces)
