"""The command `finscribe demo`: from synthetic receipts to an evaluated adapter, on this machine."""

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
from finscribe_operator.local.command import execute, exit_code, print_result
from finscribe_operator.local.container import ENTRYPOINT
from finscribe_operator.local.demo_report import build_listing, describe_loss
from finscribe_operator.local.demo_summary import (
    build_answers,
    build_metrics,
    read_results,
    typical_document,
)
from finscribe_operator.local.manifest_file import Manifest, read_manifest
from finscribe_operator.local.session import LocalResult, LocalRun

if TYPE_CHECKING:
    from finscribe_operator.local.embedded_s3 import Bucket

BUCKET = "finscribe-demo"
DATASET_PREFIX = "datasets/invoices"
RESULTS_PREFIX = "results/"
EXAMPLE = "finetunejob.yaml"
REQUIRED_PACKAGES = {"torch": "trainer", "boto3": "trainer", "moto": "demo"}
"""Packages, each with the extra that installs it."""


@click.command(
    short_help="Fine-tune a small model on synthetic receipts, from S3 to S3.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default="finscribe-demo",
    show_default=True,
    help="Directory for the sample and the results; a second demo reuses the sample.",
)
@click.option(
    "--job",
    "job_file",
    type=click.Path(path_type=Path),
    help="Job to run instead of the example: a changed copy of examples/finetunejob.yaml.",
)
def demo(directory: Path, job_file: Path | None) -> None:
    """Fine-tune a small pretrained PaddleOCR-VL on synthetic receipts, in minutes on a CPU.

    It starts an S3 server in memory, generates receipts, uploads them, runs the example FineTuneJob as
    `finscribe run` does, and compares base and tuned model on receipts that were not trained, and the tuned
    model on receipts of another template. Needs no GPU, cluster, account or network.

    \b
    Exit codes:  0 complete   78 user error   75 interrupted or transient error   70 defect
    """  # noqa: D301 - click reads \b as "keep these lines"
    _check_packages()
    # moto and boto3 belong to extras of their own, which _check_packages has checked.
    from finscribe_operator.local.embedded_s3 import serve_bucket  # noqa: PLC0415

    console = Console()
    directory = directory.resolve()
    _check_directory(directory)
    manifest = read_manifest(job_file or find_example())
    _check_job(manifest)
    started = time.monotonic()
    with stage(console, "1/5 Generate receipts"):
        sample = make_sample(directory, console)
    with serve_bucket(BUCKET) as bucket:
        with stage(console, f"2/5 Upload to s3://{BUCKET}, an S3 server in this process"):
            bucket.upload(sample_files(sample), console)
        with stage(console, f"3/5 finscribe run {manifest.path}"):
            result = fine_tune(manifest, directory, bucket, console)
        if result.state != State.Complete:
            raise SystemExit(exit_code(result))
        with stage(console, f"4/5 Content of s3://{BUCKET}"):
            bucket.download(RESULTS_PREFIX, directory)
            console.print(build_listing(bucket.list()))
    outputs = _downloaded_outputs(result, directory)
    template = outputs["evaluation"] / "results-template.json"
    with stage(console, "5/5 finscribe evaluate: the tuned model on receipts of another template"):
        evaluate(outputs.get("adapter") or outputs["merged"], sample / "test-template.jsonl", template)
    _print_summary(console, sample, outputs["evaluation"], template)
    _print_next_steps(console, directory, outputs["evaluation"], time.monotonic() - started)


def _check_directory(directory: Path) -> None:
    """Refuse a directory whose results are not those of an earlier demo: they would be replaced.

    Raises:
        UserError: InvalidConfig.
    """
    results = directory / RESULTS_PREFIX
    if results.exists() and not (directory / "state").exists():
        raise UserError(
            FailureReason.InvalidConfig,
            f"{results} exists, and is not of an earlier demo.",
            "Name another directory with --directory.",
        )


def _check_job(manifest: Manifest) -> None:
    """Refuse a job whose results the demo could not show.

    Raises:
        UserError: InvalidConfig.
    """
    spec = manifest.job.spec
    problems = {
        f"spec.output.uri is {spec.output.uri}": not spec.output.uri.startswith(
            f"s3://{BUCKET}/{RESULTS_PREFIX}"
        ),
        "spec.evaluation.enabled is false": not spec.evaluation.enabled,
    }
    for problem in (problem for problem, present in problems.items() if present):
        raise UserError(
            FailureReason.InvalidConfig,
            f"{manifest.path}: {problem}, so the demo can't show its results.",
            f"Write below s3://{BUCKET}/{RESULTS_PREFIX} and evaluate, or use `finscribe run`.",
        )


@contextmanager
def stage(console: Console, title: str) -> Iterator[None]:
    """Print a stage's title, and its duration at the end."""
    console.rule(f"[bold]{title}", align="left")
    began = time.monotonic()
    yield
    console.print(f"[dim]{time.monotonic() - began:.1f} s[/dim]\n")


def make_sample(directory: Path, console: Console) -> Path:
    """The sample's folder: generated by `finscribe sample`, or reused from an earlier demo.

    Raises:
        RetryableError: it could not be generated.
    """
    sample = directory / "sample"
    if sample.exists():
        console.print(f"Reusing {sample}; delete it to generate it again.", soft_wrap=True)
        return sample
    partial = directory / f"sample.{os.getpid()}"
    command = [*ENTRYPOINT, "sample", "--output-dir", str(partial)]
    printed = _finscribe(command, "The sample could not be generated")
    console.print(printed.replace(str(partial), str(sample)).strip(), soft_wrap=True, highlight=False)
    # The next demo must not reuse an incomplete sample.
    partial.rename(sample)
    return sample


def sample_files(sample: Path) -> dict[str, Path]:
    """The sample's files by their key in the bucket."""
    return {
        f"{DATASET_PREFIX}/{path.relative_to(sample)}": path
        for path in sorted(sample.rglob("*"))
        if path.is_file()
    }


def fine_tune(manifest: Manifest, directory: Path, bucket: "Bucket", console: Console) -> LocalResult:
    """Run the job against the bucket."""
    # The demo must not use the user's credentials and endpoints.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    run = LocalRun(
        manifest,
        directory / "state",
        environment | bucket.environment,
        # The bucket is new: the outputs of an earlier demo are not in it.
        rerun=True,
    )
    result = execute(run, console)
    if result.state == State.Complete:
        console.print(describe_loss(result.status))
    elif result.state == State.Failed:
        print_result(result, run, console)
    else:
        console.print("Interrupted. The bucket ended with its server; to start again: finscribe demo")
    return result


def _downloaded_outputs(result: LocalResult, directory: Path) -> dict[str, Path]:
    """Where the run's outputs were downloaded to, by their names in the status."""
    assert result.status.run is not None, "a complete job has a run"
    outputs: dict[str, str] = result.status.run.outputs.to_kubernetes()
    return {name: directory / uri.removeprefix(f"s3://{BUCKET}/") for name, uri in outputs.items()}


def evaluate(model: Path, rows: Path, output: Path) -> None:
    """Evaluate a model on documents with `finscribe evaluate`.

    Raises:
        RetryableError: it failed.
    """
    command = [*ENTRYPOINT, "evaluate", "--test-dir", str(rows), "--model-path", str(model)]
    _finscribe([*command, "--output", str(output), "--overwrite"], f"{rows} could not be evaluated")


def _finscribe(command: list[str], failure: str) -> str:
    """Run a command of the trainer and return what it prints.

    It is a process of its own: operator and trainer do not import each other.

    Raises:
        RetryableError: it failed; the message begins with `failure`.
    """
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - our own program
    if done.returncode != 0:
        raise RetryableError(FailureReason.InternalError, f"{failure}: {done.stderr}")
    return done.stdout


def find_example() -> Path:
    """The example job: beside this file when installed, below `examples/` in a checkout."""
    packaged = Path(__file__).with_name(EXAMPLE)
    return packaged if packaged.exists() else Path(__file__).parents[4] / "examples" / EXAMPLE


def _check_packages() -> None:
    for package, extra in REQUIRED_PACKAGES.items():
        if importlib.util.find_spec(package) is None:
            raise UserError(
                FailureReason.InvalidConfig,
                f"`finscribe demo` needs {package} (extra [{extra}]), which is not installed.",
                "In a checkout of FinScribe run: pip install '.[operator,trainer,demo]'",
            )


def _print_summary(console: Console, sample: Path, evaluation: Path, template: Path) -> None:
    base, tuned = (read_results(evaluation / f"results-{name}.json") for name in ("base", "tuned"))
    console.rule("[bold]Base and tuned model", align="left")
    console.print(build_metrics(base, tuned, read_results(template)))
    index = typical_document(tuned)
    console.print(build_answers(base.answers[index], tuned.answers[index]))
    console.print(f"The page is in {sample}.\n", soft_wrap=True, highlight=False)


def _print_next_steps(console: Console, directory: Path, evaluation: Path, seconds: float) -> None:
    console.print(f"[bold green]Done in {seconds:.0f} s.[/bold green] Next steps:")
    for what, where in (
        ("see pages and answers", f"open {evaluation / 'report.html'}"),
        ("downloaded results", str(directory / "results")),
        ("the job's manifest", str(find_example())),
        ("train on your documents", "set your bucket in the job, then: finscribe run JOB.yaml"),
        ("on a cluster", "kubectl apply -f JOB.yaml"),
    ):
        console.print(f"  {what:24} {where}", soft_wrap=True, highlight=False)
