"""Describes a job in some lines: what it does, how far it is, what it waits for, what to do next."""

from collections.abc import Iterator

from finscribe_client.jobs import Job
from finscribe_client.output import age, duration
from finscribe_core.api.conditions import ConditionType
from finscribe_core.api.v1alpha1 import State
from finscribe_core.report import EvaluationReport

_LABEL_WIDTH = 12
_NEXT = {
    State.Failed: "finscribe logs {name}; after a correction: finscribe retry {name}",
    State.Suspended: "finscribe resume {name}",
    State.Running: "finscribe watch {name}, or finscribe logs --follow {name}",
    State.Pending: "finscribe events {name}",
    State.Retrying: "finscribe logs --previous {name}",
    State.Complete: "finscribe download {name}",
    State.Invalid: "correct the spec, and submit it again",
}


def describe(job: Job) -> Iterator[str]:
    """The lines."""
    reason, message = job.explanation
    yield f"{job.namespace}/{job.name}: {job.state}" + (f" ({reason})" if reason else "")
    if message:
        yield _line("Message", message)
    yield from _run(job)
    yield from _progress(job)
    yield from _evaluation(job.status.evaluation)
    if (promoted := job.condition(ConditionType.Promoted)) and job.state == State.Complete:
        yield _line("Promoted", f"{promoted.status} ({promoted.reason}) {promoted.message}".rstrip())
    if uri := job.runs[0].outputs.uri if job.runs else None:
        yield _line("Result", uri)
    for experiment in job.status.experiments:
        yield _line("Experiment", f"{experiment.name}: {experiment.state} ({experiment.job})")
    for run in job.runs[1:]:
        loss = f", loss {run.metrics.eval_loss}" if run.metrics.eval_loss else ""
        when = f", {age(run.start_time)} ago" if run.start_time else ""
        yield _line("Earlier run", f"{run.name}: {run.outcome}, {run.cause}{loss}{when}")
    if next_step := _NEXT.get(job.state):
        yield _line("Next", next_step.format(name=job.name))


def _run(job: Job) -> Iterator[str]:
    run = job.status.run
    if run is None:
        return
    parts = [run.name, str(run.cause), f"attempt {run.attempts}"]
    if run.failed_attempts:
        parts.append(f"{run.failed_attempts} failed")
    if run.start_time:
        parts.append(f"started {age(run.start_time)} ago")
    if run.completion_time:
        parts.append(f"ended {age(run.completion_time)} ago")
    yield _line("Run", ", ".join(parts))
    if run.resumed_from:
        yield _line("Resumed from", run.resumed_from)
    if run.under_training:
        yield _line("Note", run.under_training)


def _progress(job: Job) -> Iterator[str]:
    progress, metrics = job.status.progress, job.status.metrics
    if progress.total_steps:
        parts = [
            f"step {progress.step}/{progress.total_steps} ({progress.percent}%)",
            f"epoch {progress.epoch:g}",
        ]
        if progress.samples_per_second:
            parts.append(f"{progress.samples_per_second} samples/s")
        if progress.eta_seconds is not None and job.state == State.Running:
            parts.append(f"{duration(progress.eta_seconds)} left")
        yield _line("Progress", ", ".join(parts))
    losses = {
        "training": metrics.train_loss,
        "validation": metrics.eval_loss,
        "best": metrics.best_eval_loss,
        "base model": metrics.base_eval_loss,
    }
    known = [f"{name} {value}" for name, value in losses.items() if value is not None]
    if known:
        yield _line("Loss", ", ".join(known))


def _evaluation(report: EvaluationReport | None) -> Iterator[str]:
    if report is None:
        return
    base, tuned = (model.model_dump(exclude_none=True) for model in (report.base, report.tuned))
    changes = [f"{name.replace('_', ' ')} {base.get(name, '-')} -> {value}" for name, value in tuned.items()]
    yield _line("Evaluation", f"{report.documents} documents, base -> tuned: " + ", ".join(changes))
    if report.errors:
        counts = ", ".join(f"{count} {kind}" for kind, count in report.errors.model_dump().items())
        yield _line("Errors", f"{counts} (values in the tuned model's answers)")
    if report.gate:
        yield _line("Gate", f"{'passed' if report.gate.passed else 'failed'}: {report.gate.message}")


def _line(label: str, text: str) -> str:
    return f"  {label:{_LABEL_WIDTH}} {text}"
