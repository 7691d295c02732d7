"""`finscribe submit`: create or change jobs."""

import subprocess
import sys
import tempfile
from pathlib import Path

import click
import yaml

from finscribe_client.client import Client, Submitted
from finscribe_client.commands.ending import wait_for
from finscribe_client.commands.options import HELP_SETTINGS, dry_run_option, on_cluster, output_option
from finscribe_client.output import print_jobs
from finscribe_client.submission import Submission, read_submissions
from finscribe_client.training_plan import plan_lines
from finscribe_core.constants import ANNOTATION_PLAN, KIND


@click.command(context_settings=HELP_SETTINGS)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option("--force-conflicts", is_flag=True, help="Take over fields that somebody else has set.")
@click.option("--wait", is_flag=True, help="Wait until the jobs have ended.")
@click.option("--follow", is_flag=True, help="Print changes and the log of the job until it has ended.")
@click.option(
    "--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Longest time that --wait waits."
)
@click.option("--plan", is_flag=True, help="First run `finscribe plan` for each job: memory, time, cards.")
@dry_run_option
@output_option("text", "json", "yaml", "name", default="text")
@on_cluster
def submit(  # noqa: PLR0913 - one for each option
    client: Client,
    *,
    files: tuple[Path, ...],
    force_conflicts: bool,
    wait: bool,
    follow: bool,
    timeout: float | None,
    plan: bool,
    dry_run: bool,
    output: str,
) -> None:
    """Check FineTuneJobs, and create or change them on the cluster.

    FILE is YAML with FineTuneJobs, and Secrets that they need; `-` is the standard input. All are
    checked on this machine, then by the cluster, before the first one is written. Fields are set by
    server-side apply. Of each job it prints how it trains, and its steps if your credentials of the object
    storage let it count the rows within 3 seconds. --plan reads all rows for memory and time, too, which
    takes longer; if it fails, nothing is submitted.

    \b
    Exit codes:  0 submitted; with --wait: complete   1 with --wait: failed
                 78 user error, nothing was written   75 the cluster does not answer, or --timeout has passed

    \b
    Examples:
      finscribe submit examples/paddleocr-vl.yaml
      finscribe submit examples/paddleocr-vl.yaml --plan --dry-run
      finscribe submit examples/paddleocr-vl.yaml --wait --timeout 86400
    """  # noqa: D301 - click reads \b as "keep these lines"
    if dry_run and (wait or follow):
        raise click.UsageError("--dry-run starts nothing to wait for.")
    namespace = click.get_current_context().params.get("namespace")
    submissions = read_submissions(files, namespace)
    if plan:
        submissions = [_planned(submission) for submission in submissions]
    done = client.apply(submissions, force=force_conflicts, dry_run=dry_run)
    jobs = [item.job for item in done if item.job]
    if output == "text":
        for item in done:
            _print(item, dry_run=dry_run)
    else:
        print_jobs(jobs, output)
    if wait or follow:
        wait_for(client, jobs, timeout, follow=follow)
    elif output == "text" and not dry_run:
        click.echo(f"Next: finscribe watch {jobs[0].name}" + _namespace(client, jobs[0].namespace))


def _planned(submission: Submission) -> Submission:
    """Print the plan of a job, and annotate the job with it in short.

    Ends the command as that of the plan ends, if that fails.
    """
    if submission.kind != KIND:
        return submission
    click.echo(f"{KIND} {submission.name}:", err=True)
    with tempfile.TemporaryDirectory(prefix="finscribe-plan-") as folder:
        job = Path(folder) / f"{submission.name}.yaml"
        job.write_text(yaml.safe_dump(submission.document.data), encoding="utf-8")
        summary = Path(folder) / "summary.txt"
        planned = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "finscribe_trainer", "plan", f"--config={job}", f"--summary={summary}"],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if planned.returncode:
            raise click.exceptions.Exit(planned.returncode)
        click.echo(planned.stdout, err=True)
        return submission.annotated(ANNOTATION_PLAN, summary.read_text(encoding="utf-8").strip())


def _print(item: Submitted, *, dry_run: bool) -> None:
    note = " (dry run)" if dry_run else ""
    click.echo(f"{item.kind} {item.namespace}/{item.name} {item.change}{note}")
    if item.job and item.change != "unchanged":
        for line in plan_lines(item.job.raw):
            click.echo(f"  {line}")
    if item.job and item.job.is_suspended_by_spec:
        click.echo(f"  It is suspended. To start it: finscribe resume {item.name}")


def _namespace(client: Client, namespace: str) -> str:
    return "" if namespace == client.api.namespace else f" --namespace {namespace}"
