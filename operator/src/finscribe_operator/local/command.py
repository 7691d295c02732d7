"""`finscribe run`: a FineTuneJob on this machine, as the operator would run it on a cluster."""

import asyncio
import importlib.util
from pathlib import Path

import click
from rich.console import Console

from finscribe_core.api.conditions import ConditionType
from finscribe_core.api.v1alpha1 import FineTuneJob, State
from finscribe_core.constants import EXIT_DONE, EXIT_INTERNAL, EXIT_RETRY, EXIT_USER_ERROR
from finscribe_core.errors import FailureReason, UserError
from finscribe_operator.local.lock import exclusive
from finscribe_operator.local.manifest_file import Manifest, read_manifest
from finscribe_operator.local.session import Ending, LocalRun, Session
from finscribe_operator.local.view import View

LOG_LINES = 20
"""Lines of a failed attempt's log that are shown."""


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.argument("manifest", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=".finscribe",
    show_default=True,
    help="Where the run's state, logs and scratch files are kept.",
)
@click.option("--rerun", is_flag=True, help="Forget earlier runs of this job and train again from the start.")
def run(manifest: Path, state_dir: Path, rerun: bool) -> None:
    """Run a FineTuneJob on this machine, as the operator would on a cluster.

    MANIFEST is the YAML file you would `kubectl apply`. It may also hold the Secret that the job names;
    without it the credentials are those of your environment. Run it again after an interruption, and it goes
    on from its last checkpoint.

    \b
    Exit codes:  0 complete   78 the job must be changed   75 interrupted, or try again   70 a defect

    \b
    Examples:
      finscribe run examples/finetunejob.yaml
      finscribe run examples/finetunejob.yaml --rerun
    """  # noqa: D301 - click reads \b as "keep these lines"
    console = Console()
    local_run = LocalRun(read_manifest(manifest), state_dir, rerun=rerun)
    ending = execute(local_run, console)
    report(ending, local_run, console)
    raise SystemExit(exit_code(ending))


def execute(local_run: LocalRun, console: Console) -> Ending:
    """Run the job to its end, showing how it goes.

    Raises:
        FinscribeError: it can't be started here.
    """
    if importlib.util.find_spec("torch") is None:
        raise UserError(
            FailureReason.InvalidConfig,
            "The trainer's packages are not installed.",
            "Run: pip install 'finscribe[operator,trainer]'",
        )
    with exclusive(local_run.state_dir), View(console) as view:
        introduce(local_run.manifest, view)
        return asyncio.run(_run(local_run, view))


async def _run(local_run: LocalRun, view: View) -> Ending:
    return await Session(local_run, view).run()


def introduce(manifest: Manifest, view: View) -> None:
    """Say what is different from a cluster."""
    job = manifest.job
    view.say(f"[bold]{job.metadata.name}[/bold] runs as a local process; image, pod, resources do not apply.")
    if reference := job.spec.storage.credentials_secret_ref:
        source = str(manifest.path) if reference.name in manifest.secrets else "your environment"
        view.say(f"Credentials of the Secret {reference.name}: from {source}.")
    if warning := warn_about_gpu(job):
        view.say(f"[yellow]Warning:[/yellow] {warning}")


def warn_about_gpu(job: FineTuneJob, devices: Path = Path("/dev")) -> str:
    """What to say when the job asks for a GPU and this machine shows none; else empty."""
    if job.spec.resources.gpus == 0 or (devices / "nvidiactl").exists() or (devices / "kfd").exists():
        return ""
    return (
        f"spec.resources.gpus is {job.spec.resources.gpus}, but this machine shows no GPU: the run uses the "
        "CPU, which takes many times longer. Set it to 0 to say that this is meant."
    )


def report(ending: Ending, local_run: LocalRun, console: Console) -> None:
    """Say how it ended, and what to do next."""
    lines = {
        State.Complete: _completion,
        State.Failed: _failure,
        State.Invalid: _failure,
        State.Suspended: _suspension,
    }.get(ending.state, _interruption)(ending, local_run)
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def exit_code(ending: Ending) -> int:
    """What the command exits with."""
    if ending.state in (State.Complete, State.Suspended):
        return EXIT_DONE
    if ending.state == State.Invalid or (
        ending.state == State.Failed and ending.exit_code == EXIT_USER_ERROR
    ):
        return EXIT_USER_ERROR
    if ending.state == State.Failed and _reason(ending) == FailureReason.InternalError:
        return EXIT_INTERNAL
    return EXIT_RETRY


def _completion(ending: Ending, local_run: LocalRun) -> list[str]:
    metrics, run = ending.status.metrics, ending.status.run
    lines = []
    if metrics.base_eval_loss and metrics.best_eval_loss:
        lines.append(f"Validation loss: {metrics.base_eval_loss} before, {metrics.best_eval_loss} after.")
    outputs = run.outputs.to_kubernetes() if run else {}
    lines += [f"  {name:9} {uri}" for name, uri in outputs.items()]
    return [*lines, "Change the spec to train anew, or use --rerun to repeat it."]


def _failure(ending: Ending, local_run: LocalRun) -> list[str]:
    if ending.log is None or not ending.log.exists():
        return []
    tail = ending.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
    return [f"The end of {ending.log}:", *(f"  {line}" for line in tail)]


def _suspension(ending: Ending, local_run: LocalRun) -> list[str]:
    return [f"Suspended: set spec.suspend to false in {local_run.manifest.path} and run it again."]


def _interruption(ending: Ending, local_run: LocalRun) -> list[str]:
    progress = ending.status.progress
    where = f" at step {progress.step} of {progress.total_steps}" if progress.total_steps else ""
    state_dir = "" if str(local_run.state_dir) == ".finscribe" else f" --state-dir {local_run.state_dir}"
    return [
        f"Interrupted{where}. {ending.last_words}".rstrip(),
        "To go on from the last checkpoint:",
        f"  finscribe run {local_run.manifest.path}{state_dir}",
    ]


def _reason(ending: Ending) -> str:
    for type_ in (ConditionType.Failed, ConditionType.Stalled):
        for condition in ending.status.conditions:
            if condition.type == type_ and condition.status == "True":
                return condition.reason
    return ""
