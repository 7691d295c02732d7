"""`finscribe compare-runs`: two runs side by side."""

import tempfile
from pathlib import Path

import click

from finscribe_client.client import Client
from finscribe_client.commands.bucket_options import endpoint_option
from finscribe_client.commands.options import HELP_SETTINGS, names_of_jobs, on_cluster, output_option
from finscribe_client.figures import comparison_rows, figures
from finscribe_client.output import print_data, print_table
from finscribe_client.reader import find_run


@click.command("compare-runs", context_settings=HELP_SETTINGS)
@click.argument("first", metavar="RUN", shell_complete=names_of_jobs)
@click.argument("second", metavar="RUN", shell_complete=names_of_jobs)
@click.option("--settings", is_flag=True, help="Also the settings that differ, from the bucket.")
@endpoint_option
@output_option("table", "json", "yaml")
@on_cluster
def compare_runs(
    client: Client, *, first: str, second: str, settings: bool, endpoint: str | None, output: str
) -> None:
    """Show losses, scores and settings of two runs of a cluster side by side.

    RUN is a run (`finscribe status JOB` lists them), or a job for its current one. `finscribe compare
    RUN RUN` is the same. --settings reads config.yaml of both runs, with your credentials of the bucket.

    \b
    Exit codes:  0 done   78 user error (no such run, rights)   75 cluster or storage do not answer

    \b
    Examples:
      finscribe compare-runs invoices-1a2b3c4d invoices-5e6f7a8b
      finscribe compare-runs invoices receipts --settings
    """  # noqa: D301 - click reads \b as "keep these lines"
    found = [find_run(client, name) for name in (first, second)]
    values = [figures(job, run) for job, run in found]
    differing: list[list[str]] = []
    if settings:
        from finscribe_client.bucket import Result  # noqa: PLC0415 - only with --settings

        with tempfile.TemporaryDirectory() as folder:
            results = [Result.of(job, run, endpoint) for job, run in found]
            written = [result.settings(Path(folder)) for result in results]
        texts = [{name: str(value) for name, value in one.items()} for one in written]
        differing = [row for row in comparison_rows(texts) if row[1] != row[2]]
    names = [run.name for _, run in found]
    if output != "table":
        data = [{"run": name, "metrics": value} for name, value in zip(names, values, strict=True)]
        print_data({"runs": data, "settings": {name: [a, b] for name, a, b in differing}}, output)
        return
    print_table(("METRIC", *names), comparison_rows(values))
    if settings:
        click.echo()
        print_table(("SETTING", *names), differing)
