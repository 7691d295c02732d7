"""`finscribe metrics`: losses, scores and costs of a run."""

from pathlib import Path

import click

from finscribe_client.commands.bucket_options import endpoint_option
from finscribe_client.commands.options import HELP_SETTINGS, names_of_jobs, on_cluster_or_local, output_option
from finscribe_client.curve import plot
from finscribe_client.errors import ClientError, ClientReason
from finscribe_client.figures import comparison_rows, figures
from finscribe_client.jobs import Job, Run
from finscribe_client.log_lines import LossPoint
from finscribe_client.output import print_data, print_table
from finscribe_client.reader import Reader, find_run


@click.command(context_settings=HELP_SETTINGS)
@click.argument("run", shell_complete=names_of_jobs)
@click.option(
    "--plot", "shows_plot", is_flag=True, help="Draw the training (•) and validation (x) loss by step."
)
@click.option(
    "--png", type=click.Path(dir_okay=False, path_type=Path), help="Write the plot to this file, too."
)
@endpoint_option
@output_option("table", "json", "yaml")
@on_cluster_or_local
def metrics(
    reader: Reader, *, run: str, shows_plot: bool, png: Path | None, endpoint: str | None, output: str
) -> None:
    """Show losses, scores and costs of a run; with --plot the curves.

    RUN is a run (`finscribe status JOB` lists them), or a job for its current one. The curves are those
    of the pods' logs; once these are deleted, those in the bucket, which needs your credentials.

    \b
    Exit codes:  0 done   78 user error (no such run, rights)   75 cluster or storage do not answer

    \b
    Examples:
      finscribe metrics invoices --plot
      finscribe metrics invoices-1a2b3c4d --output json
      finscribe metrics invoices --png loss.png
    """  # noqa: D301 - click reads \b as "keep these lines"
    job, found = find_run(reader, run)
    values = figures(job, found)
    if output == "table":
        print_table(("METRIC", found.name.upper()), comparison_rows([values]))
    else:
        print_data(values, output)
    if not (shows_plot or png):
        return
    points = _losses(reader, job, found, endpoint)
    if shows_plot:
        click.echo(plot(_curves(points)))
    if png:
        from finscribe_client.png import write_plot  # noqa: PLC0415 - needs matplotlib

        write_plot(png, _curves(points), found.name)
        click.echo(f"The plot: {png}")


def _losses(reader: Reader, job: Job, run: Run, endpoint: str | None) -> list[LossPoint]:
    from finscribe_client.history import losses_of_log, losses_of_result  # noqa: PLC0415 - `--help` is fast

    points = losses_of_log(reader, job, run.name) or losses_of_result(job, run, endpoint)
    if not points:
        raise ClientError(ClientReason.NotFound, f"{run.name} has reported no loss yet.")
    return points


def _curves(points: list[LossPoint]) -> list[list[tuple[float, float]]]:
    return [
        [(point.step, point.loss) for point in points if point.loss is not None],
        [(point.step, point.eval_loss) for point in points if point.eval_loss is not None],
    ]
