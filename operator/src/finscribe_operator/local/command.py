"""The command `finscribe run`: options, the summary at the end, exit codes."""

import asyncio
import importlib.util
import os
from pathlib import Path

import click
from rich.console import Console

from finscribe_core.api.conditions import ConditionType
from finscribe_core.api.v1alpha1 import FineTuneJob, State
from finscribe_core.constants import EXIT_DONE, EXIT_INTERNAL, EXIT_RETRY, EXIT_USER_ERROR
from finscribe_core.errors import FailureReason, UserError
from finscribe_operator.local.dry_run import check_job
from finscribe_operator.local.lock import lock_state_directory
from finscribe_operator.local.manifest_file import Manifest, read_manifest
from finscribe_operator.local.session import LocalResult, LocalRun, Session
from finscribe_operator.local.view import View, describe_costs

LOG_LINES = 20
"""Number of log lines of a failed attempt that are shown."""


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.argument("manifest", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=".finscribe",
    show_default=True,
    help="Directory for the run's state, logs and scratch files.",
)
@click.option("--rerun", is_flag=True, help="Delete earlier runs of this job and train from the start.")
@click.option("--dry-run", is_flag=True, help="Check job, storage, rows and model; train nothing.")
def run(manifest: Path, state_dir: Path, rerun: bool, dry_run: bool) -> None:
    """Run a FineTuneJob on this machine, as the operator would on a cluster.

    MANIFEST is the YAML file you would `kubectl apply`. It may also contain the Secret that the job
    references; without it the credentials come from your environment. After an interruption, the same
    command resumes from the last checkpoint.

    \b
    Exit codes:  0 complete   78 user error   75 interrupted or transient error   70 defect

    \b
    Examples:
      finscribe run examples/finetunejob.yaml
      finscribe run examples/finetunejob.yaml --dry-run
      finscribe run examples/finetunejob.yaml --rerun
    """  # noqa: D301 - click reads \b as "keep these lines"
    console = Console()
    parsed = read_manifest(manifest)
    if dry_run:
        check_trainer_is_installed()
        raise SystemExit(check_job(parsed, os.environ))
    local_run = LocalRun(parsed, state_dir, rerun=rerun)
    result = execute(local_run, console)
    print_result(result, local_run, console)
    raise SystemExit(exit_code(result))


def execute(local_run: LocalRun, console: Console) -> LocalResult:
    """Run the job to its end and show its progress.

    Raises:
        FinscribeError: the run can't be started on this machine.
    """
    check_trainer_is_installed()
    check_number_of_nodes(local_run.manifest.job)
    with lock_state_directory(local_run.state_dir), View(console) as view:
        print_differences_from_cluster(local_run.manifest, view)
        return asyncio.run(_run(local_run, view))


def check_trainer_is_installed() -> None:
    """Check that the trainer can be started.

    Raises:
        UserError: InvalidConfig when its packages are missing.
    """
    if importlib.util.find_spec("torch") is None:
        raise UserError(
            FailureReason.InvalidConfig,
            "The trainer's packages are not installed.",
            "In a checkout of FinScribe run: pip install '.[operator,trainer]'",
        )


def check_number_of_nodes(job: FineTuneJob) -> None:
    """Check that the run has one pod.

    Raises:
        UserError: InvalidConfig when it has several.
    """
    if job.spec.resources.num_nodes > 1:
        raise UserError(
            FailureReason.InvalidConfig,
            f"spec.resources.nodes is {job.spec.resources.nodes}, but this is one machine.",
            "Remove it to run here, or apply the job to a cluster.",
        )


async def _run(local_run: LocalRun, view: View) -> LocalResult:
    return await Session(local_run, view).run()


def print_differences_from_cluster(manifest: Manifest, view: View) -> None:
    """Print how the run differs from one on a cluster."""
    job = manifest.job
    view.print_line(
        f"[bold]{job.metadata.name}[/bold] runs as a local process; image, pod, resources do not apply."
    )
    if reference := job.spec.storage.credentials_secret_ref:
        source = str(manifest.path) if reference.name in manifest.secrets else "your environment"
        view.print_line(f"Credentials of the Secret {reference.name}: from {source}.")
    if warning := warn_about_gpu(job):
        view.print_line(f"[yellow]Warning:[/yellow] {warning}")


def warn_about_gpu(job: FineTuneJob, devices: Path = Path("/dev")) -> str:
    """A warning when the job requests a GPU and this machine has none; else empty."""
    if job.spec.resources.gpus == 0 or (devices / "nvidiactl").exists() or (devices / "kfd").exists():
        return ""
    return (
        f"spec.resources.gpus is {job.spec.resources.gpus}, but this machine has no GPU: the run uses the "
        "CPU, which takes many times longer. Set it to 0 if this is intended."
    )


def print_result(result: LocalResult, local_run: LocalRun, console: Console) -> None:
    """Print how the run ended, and what to do next."""
    lines = {
        State.Complete: _completion,
        State.Failed: _failure,
        State.Invalid: _failure,
        State.Suspended: _suspension,
    }.get(result.state, _interruption)(result, local_run)
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def exit_code(result: LocalResult) -> int:
    """The command's exit code."""
    if result.state in (State.Complete, State.Suspended):
        return EXIT_DONE
    if result.state == State.Invalid or (
        result.state == State.Failed and result.exit_code == EXIT_USER_ERROR
    ):
        return EXIT_USER_ERROR
    if result.state == State.Failed and _reason(result) == FailureReason.InternalError:
        return EXIT_INTERNAL
    return EXIT_RETRY


def _completion(result: LocalResult, local_run: LocalRun) -> list[str]:
    metrics, run = result.status.metrics, result.status.run
    lines = []
    if metrics.base_eval_loss and metrics.best_eval_loss:
        lines.append(f"Validation loss: {metrics.base_eval_loss} before, {metrics.best_eval_loss} after.")
    if best := result.status.progress.best:
        lines.append(f"The best evaluation: {best.metric} {best.value} at step {best.step}.")
    if costs := describe_costs(result.status):
        lines.append(costs)
    outputs = run.outputs.to_kubernetes() if run else {}
    lines += [f"  {name:9} {uri}" for name, uri in outputs.items()]
    return [*lines, "Change the spec to start another run, or use --rerun to repeat this one."]


def _failure(result: LocalResult, local_run: LocalRun) -> list[str]:
    if result.log is None or not result.log.exists():
        return []
    tail = result.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
    return [f"The end of {result.log}:", *(f"  {line}" for line in tail)]


def _suspension(result: LocalResult, local_run: LocalRun) -> list[str]:
    return [f"Suspended: set spec.suspend to false in {local_run.manifest.path} and run it again."]


def _interruption(result: LocalResult, local_run: LocalRun) -> list[str]:
    progress = result.status.progress
    where = f" at step {progress.step} of {progress.total_steps}" if progress.total_steps else ""
    state_dir = "" if str(local_run.state_dir) == ".finscribe" else f" --state-dir {local_run.state_dir}"
    return [
        f"Interrupted{where}. {result.trainer_message}".rstrip(),
        "To resume from the last checkpoint:",
        f"  finscribe run {local_run.manifest.path}{state_dir}",
    ]


def _reason(result: LocalResult) -> str:
    for type_ in (ConditionType.Failed, ConditionType.Stalled):
        for condition in result.status.conditions:
            if condition.type == type_ and condition.status == "True":
                return condition.reason
    return ""
