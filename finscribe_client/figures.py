"""The numbers of a run, named for tables and programs, and two runs side by side."""

from collections.abc import Sequence

from finscribe_client.jobs import Job, Run
from finscribe_core.report import DocumentMetrics


def figures(job: Job, run: Run) -> dict[str, str]:
    """Outcome, losses, scores and, of the current run, progress and costs; only what is known."""
    found: dict[str, str | None] = {"outcome": run.outcome, "cause": run.cause}
    found |= run.metrics.model_dump()
    if run.evaluation is not None:
        found["documents"] = str(run.evaluation.documents)
        for model in ("base", "tuned"):
            scores: DocumentMetrics = getattr(run.evaluation, model)
            found |= {f"{model}_{name}": value for name, value in scores.model_dump().items()}
        if run.evaluation.errors is not None:
            counts = run.evaluation.errors.model_dump()
            found |= {f"{kind}_values": str(count) for kind, count in counts.items()}
        gate = run.evaluation.gate
        found["gate"] = None if gate is None else ("passed" if gate.passed else "failed")
    if run.is_current:
        found |= _of_current(job)
    return {name: value for name, value in found.items() if value is not None}


def _of_current(job: Job) -> dict[str, str | None]:
    progress, run = job.status.progress, job.status.run
    found: dict[str, str | None] = {
        "step": f"{progress.step}/{progress.total_steps}" if progress.total_steps else None,
        "epoch": f"{progress.epoch:g}",
        "samples_per_second": progress.samples_per_second,
        "tokens_per_second": progress.tokens_per_second,
    }
    if progress.best:
        found["best"] = f"{progress.best.metric} {progress.best.value} at step {progress.best.step}"
    if run is not None:
        found |= {
            "attempts": str(run.attempts),
            "failed_attempts": str(run.failed_attempts),
            "pod_seconds": str(run.goodput.pod_seconds),
            "goodput": run.goodput.ratio,
        }
    seconds = progress.phase_seconds.model_dump(exclude_none=True) if progress.phase_seconds else {}
    return found | {f"seconds_{phase}": str(value) for phase, value in seconds.items()}


def comparison_rows(runs: Sequence[dict[str, str]]) -> list[list[str]]:
    """A row for each number that any of the runs has."""
    names = dict.fromkeys(name for run in runs for name in run)
    return [[name, *(run.get(name, "-") for run in runs)] for name in names]
