"""`finscribe demo`: everything in one command, from made-up invoices to an adapter in a bucket."""

import importlib.util
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from finscribe_core.api.v1alpha1 import State
from finscribe_core.errors import FailureReason, RetryableError, UserError
from finscribe_operator.local.command import execute, exit_code, report
from finscribe_operator.local.container import ENTRYPOINT
from finscribe_operator.local.demo_report import build_comparison, build_table, describe_loss
from finscribe_operator.local.manifest_file import read_manifest
from finscribe_operator.local.session import LocalRun

if TYPE_CHECKING:
    from finscribe_operator.local.embedded_s3 import Bucket

BUCKET = "finscribe-demo"
MODEL_PREFIX = "models/tiny-paddleocr-vl"
DATASET_PREFIX = "datasets/invoices"
RESULTS_PREFIX = "results/"
EXAMPLE = "finetunejob.yaml"
NEEDED = {"torch": "trainer", "boto3": "trainer", "moto": "demo"}
"""Packages, and the extra each comes with."""


@click.command(
    short_help="Fine-tune a tiny model on made-up invoices, from S3 to S3.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default="finscribe-demo",
    show_default=True,
    help="Where the sample and the results are kept; a second demo finds the sample there.",
)
def demo(directory: Path) -> None:
    """Fine-tune a tiny PaddleOCR-VL on made-up invoices, start to finish, in a few minutes on a CPU.

    It starts an S3 server in memory, makes invoices and a model, uploads them, runs the example FineTuneJob
    as `finscribe run` does, and shows what is in the bucket then. Needs no GPU, cluster, account or network.

    \b
    Exit codes:  0 done   78 a package is missing   75 interrupted, or try again   70 a defect
    """  # noqa: D301 - click reads \b as "keep these lines"
    _check_packages()
    # moto and boto3 belong to extras of their own: without them the lines above have said so.
    from finscribe_operator.local.embedded_s3 import serve_bucket  # noqa: PLC0415

    console = Console()
    directory = directory.resolve()
    started = time.monotonic()
    with stage(console, "1/4 Invoices and a tiny model, made up"):
        sample = make_sample(directory, console)
    with serve_bucket(BUCKET) as bucket:
        with stage(console, f"2/4 Upload to s3://{BUCKET}, on an S3 server in this process"):
            bucket.upload(sample_files(sample), console)
        with stage(console, f"3/4 finscribe run examples/{EXAMPLE}"):
            code = fine_tune(directory, bucket, console)
        if code == 0:
            with stage(console, f"4/4 What is in s3://{BUCKET} now"):
                bucket.download(RESULTS_PREFIX, directory)
                console.print(build_table(bucket.list()))
    if code != 0:
        raise SystemExit(code)
    _say_what_next(console, directory, time.monotonic() - started)


@contextmanager
def stage(console: Console, title: str) -> Iterator[None]:
    """Say what is being done, and how long it took."""
    console.rule(f"[bold]{title}", align="left")
    began = time.monotonic()
    yield
    console.print(f"[dim]{time.monotonic() - began:.1f} s[/dim]\n")


def make_sample(directory: Path, console: Console) -> Path:
    """The sample's folder: made by the trainer's own command, or found from an earlier demo.

    Raises:
        RetryableError: it could not be made.
    """
    sample = directory / "sample"
    if sample.exists():
        console.print(f"Found in {sample}; delete it to have it made anew.", soft_wrap=True)
        return sample
    partial = directory / f"sample.{os.getpid()}"
    # Another process: the sides do not import each other.
    command = [*ENTRYPOINT, "sample", "--output-dir", str(partial)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - our own program
    if done.returncode != 0:
        raise RetryableError(FailureReason.InternalError, f"The sample could not be made: {done.stderr}")
    console.print(done.stdout.replace(str(partial), str(sample)).strip(), soft_wrap=True, highlight=False)
    # Half a sample must not be found by the next demo.
    partial.rename(sample)
    return sample


def sample_files(sample: Path) -> dict[str, Path]:
    """The sample's files by their key in the bucket."""
    keys = {}
    for path in sorted(path for path in sample.rglob("*") if path.is_file()):
        relative = path.relative_to(sample)
        in_model = relative.parts[0] == "model"
        prefix = MODEL_PREFIX if in_model else DATASET_PREFIX
        keys[f"{prefix}/{relative.relative_to('model') if in_model else relative}"] = path
    return keys


def fine_tune(directory: Path, bucket: "Bucket", console: Console) -> int:
    """Run the example job against the bucket; returns the exit code of `finscribe run`."""
    # The user's own credentials and endpoints are none of the demo's business.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    run = LocalRun(
        read_manifest(find_example()),
        directory / "state",
        environment | bucket.environment,
        # The bucket was empty: what an earlier demo finished is not in it.
        rerun=True,
    )
    ending = execute(run, console)
    if ending.state == State.Complete:
        console.print(describe_loss(ending.status))
        if ending.status.evaluation is not None:
            console.print(build_comparison(ending.status.evaluation))
    elif ending.state == State.Failed:
        report(ending, run, console)
    else:
        console.print("Interrupted. The bucket is gone with its server; to start again: finscribe demo")
    return exit_code(ending)


def find_example() -> Path:
    """The example job: in an installed package beside this file, in a checkout below `examples/`."""
    packaged = Path(__file__).with_name(EXAMPLE)
    return packaged if packaged.exists() else Path(__file__).parents[4] / "examples" / EXAMPLE


def _check_packages() -> None:
    for package, extra in NEEDED.items():
        if importlib.util.find_spec(package) is None:
            raise UserError(
                FailureReason.InvalidConfig,
                f"`finscribe demo` needs {package}, of the extra [{extra}], which is not installed.",
                "Run: pip install 'finscribe[operator,trainer,demo]'",
            )


def _say_what_next(console: Console, directory: Path, seconds: float) -> None:
    console.print(f"[bold green]Done in {seconds:.0f} s.[/bold green] What to look at next:")
    results = directory / "results"
    # An earlier demo's may lie there, too; this one's was downloaded last.
    reports = sorted(results.rglob("report.html"), key=lambda path: path.stat().st_mtime)
    for what, where in (
        *(("base against tuned", f"open {path}") for path in reports[-1:]),
        ("the results, downloaded", str(results)),
        ("the job that made them", str(find_example())),
        ("your own documents", "put your bucket into the job, then: finscribe run JOB.yaml"),
        ("on a cluster", "kubectl apply -f JOB.yaml"),
    ):
        console.print(f"  {what:24} {where}", soft_wrap=True, highlight=False)
