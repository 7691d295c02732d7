"""`finscribe download`: the result of a run."""

from pathlib import Path

import click

from finscribe_client.client import Client
from finscribe_client.commands.bucket_options import endpoint_option
from finscribe_client.commands.options import HELP_SETTINGS, names_of_jobs, on_cluster

PARTS = ("adapter", "merged", "evaluation", "logs")


@click.command(context_settings=HELP_SETTINGS)
@click.argument("run", shell_complete=names_of_jobs)
@click.option(
    "--only", type=click.Choice(PARTS), multiple=True, help="Part of the result; repeatable; all by default."
)
@click.option(
    "--output-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder; by default the run's name.",
)
@endpoint_option
@on_cluster
def download(
    client: Client, *, run: str, only: tuple[str, ...], output_dir: Path | None, endpoint: str | None
) -> None:
    """Download adapter, merged model and report of a run, verified.

    RUN is a run (`finscribe status JOB` lists them), or a job for its newest run that has a result. Each
    file is checked against the SHA-256 in the run's manifest. Run it again after an interruption: it goes
    on. A file that exists with other content is never replaced.

    The credentials are yours, from the variables and files of AWS (AWS_PROFILE, AWS_ACCESS_KEY_ID ...).

    \b
    Exit codes:  0 done   78 user error (no such run, no result, credentials)   75 the storage does not answer

    \b
    Examples:
      finscribe download invoices
      finscribe download invoices-1a2b3c4d --only adapter --output-dir model
      finscribe download invoices --endpoint https://s3.example.org
    """  # noqa: D301 - click reads \b as "keep these lines"
    done = client.download(run, output_dir, only, endpoint)
    there = f"; {len(done.present)} were there already" if done.present else ""
    click.echo(f"{len(done.fetched)} files ({done.num_bytes:,} bytes) in {done.folder}, verified{there}.")
    if (done.folder / "evaluation/report.html").exists():
        click.echo(f"The report: {done.folder / 'evaluation/report.html'}")
