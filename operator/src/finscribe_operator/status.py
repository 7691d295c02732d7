"""What the status says: pure, from what is observed. Nothing else makes a status, a state or a summary."""

from finscribe_core.api.conditions import Condition, ConditionType, Reason, set_condition
from finscribe_core.api.v1alpha1 import (
    FineTuneJobStatus,
    RunRecord,
    RunStatus,
    State,
    Summary,
)
from finscribe_core.report import EvaluationReport, Metrics, Phase, Progress
from finscribe_operator.activity import Activity, describe_progress, read_activity
from finscribe_operator.attempts import read_result
from finscribe_operator.experiments import build_experiment_statuses
from finscribe_operator.history import find_record
from finscribe_operator.objects import Object
from finscribe_operator.observe import InvalidJob, Observed
from finscribe_operator.outcome import Outcome, read_outcome

Said = tuple[ConditionType, bool, str, str]
"""A condition to be set: type, whether it holds, reason, message."""
_OF_THE_RUN = (
    ConditionType.Running,
    ConditionType.Complete,
    ConditionType.Failed,
    ConditionType.Promoted,
)

_TROUBLE = " A change could not be made: "
_CONTROL_CHARACTERS = dict.fromkeys(range(32), " ")


def build_status(observed: Observed, now: str, trouble: str = "") -> FineTuneJobStatus:
    """The status of a valid job.

    Args:
        observed: The job and its children, after the plan's writes.
        now: The present time (RFC 3339).
        trouble: What could not be done for the run, or for an experiment; empty when all was.
    """
    status = observed.job.status
    if status.run is not None and status.run.completion_time:
        return _finish(observed, status, trouble, now)
    job = observed.batch_job
    outcome = read_outcome(job, observed.pods[observed.wanted]) if job else None
    if _lags_behind(observed.newest_pod):
        outcome = None
    status = _with_run(observed, status, outcome)
    if outcome is not None:
        return _conclude(observed, status, outcome, now)
    activity = read_activity(observed)
    if trouble and job is None:
        activity = Activity(False, Reason.Pending, f"The run can't be created: {trouble}")
    elif trouble:
        activity = Activity(activity.running, activity.reason, f"{activity.message}{_TROUBLE}{trouble}")
    return _go_on(observed, status, activity, now)


def build_switched_status(observed: Observed, history: list[RunRecord], now: str) -> FineTuneJobStatus:
    """The status that first speaks of the wanted run, the others written down in `history`.

    A run that already succeeded is not repeated: its record becomes the present again.
    """
    old = observed.job.status
    record = find_record(old, observed.wanted)
    fresh = FineTuneJobStatus(
        observed_generation=observed.job.metadata.generation,
        conditions=old.conditions,
        runs=history,
        run=RunStatus(name=observed.wanted),
    )
    if record is None or record.outcome != "Succeeded":
        activity = Activity(False, Reason.Pending, "The run is about to be created.")
        return _go_on(observed, fresh, activity, now)
    restored = RunStatus(
        name=record.name,
        start_time=record.start_time,
        completion_time=record.completion_time,
        outputs=record.outputs,
    )
    progress = Progress(phase=Phase.Uploading, percent=100)
    status = fresh.model_copy(
        update={
            "run": restored,
            "metrics": record.metrics,
            "evaluation": record.evaluation,
            "progress": progress,
        }
    )
    message = f"Run {record.name} had succeeded before, with the same spec."
    return _say(observed, status, [*_succeeded(message), _promoted(record.evaluation, restored=True)], now)


def build_invalid_status(invalid: InvalidJob, now: str) -> FineTuneJobStatus:
    """The status of a job whose spec breaks a rule. What is known of its runs is left as it is."""
    conditions = invalid.status.conditions
    message = _clean(f"{invalid.problems} Correct the spec and apply it again.")
    for type_, holds in (
        (ConditionType.Accepted, False),
        (ConditionType.Reconciling, False),
        (ConditionType.Stalled, True),
    ):
        conditions = set_condition(
            conditions,
            type_,
            holds=holds,
            reason=Reason.InvalidSpec,
            message=message,
            generation=invalid.generation,
            now=now,
        )
    summary = invalid.status.summary.model_copy(update={"state": State.Invalid, "eta": "-"})
    return invalid.status.model_copy(
        update={"observed_generation": invalid.generation, "conditions": conditions, "summary": summary}
    )


def format_eta(seconds: int | None) -> str:
    """Time left, as `kubectl get` shows ages.

    >>> [format_eta(s) for s in (None, 20, 1810, 7500, 200000)]
    ['-', '<1m', '30m', '2h5m', '2d7h']
    """
    if seconds is None:
        return "-"
    if seconds < 60:
        return "<1m"
    minutes = seconds // 60
    hours, days = minutes // 60, minutes // 1440
    if days:
        return f"{days}d{hours % 24}h"
    return f"{hours}h{minutes % 60}m" if hours else f"{minutes}m"


def _lags_behind(pod: Object | None) -> bool:
    """Whether a pod's end has not been seen. Pods are watched apart from Jobs, and a Job ends after its pods:
    to conclude before the pod's end is seen would lose the trainer's last words for good.
    """
    return pod is not None and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")


def _with_run(observed: Observed, status: FineTuneJobStatus, outcome: Outcome | None) -> FineTuneJobStatus:
    """The status with the run's figures: the trainer's last words, else its last report, else as before."""
    run = status.run or RunStatus(name=observed.wanted)
    job_status: Object = (observed.batch_job or {}).get("status", {})
    pod = observed.newest_pod
    result = outcome.result if outcome else None
    result = result or (read_result(pod) if pod else None)
    told = result or observed.report
    update: Object = {
        "start_time": job_status.get("startTime") or run.start_time,
        "completion_time": outcome.completion_time if outcome else None,
        "failed_attempts": int(job_status.get("failed", 0)),
    }
    figures: Object = (
        {"progress": told.progress, "metrics": _merge(status.metrics, told.metrics)} if told else {}
    )
    if result is not None:
        update |= {"resumed_from": result.resumed_from or run.resumed_from, "outputs": result.outputs}
        figures["evaluation"] = result.evaluation
    return status.model_copy(update={"run": run.model_copy(update=update), **figures})


def _merge(old: Metrics, new: Metrics) -> Metrics:
    """An attempt that resumes has no loss of its own yet; the last one's stays until it has."""
    return old.model_copy(update=new.model_dump(exclude_none=True))


def _conclude(observed: Observed, status: FineTuneJobStatus, outcome: Outcome, now: str) -> FineTuneJobStatus:
    status = _without_eta(status)
    if outcome.failure is None:
        promoted = _promoted(status.evaluation)
        if outcome.result is None and observed.job.spec.evaluation.gate is not None:
            message = "The trainer left no word of its gate; see whether latest.json names this run."
            promoted = (ConditionType.Promoted, False, Reason.Finished, message)
        said = [*_succeeded(_success_message(status, outcome)), promoted]
        return _say(observed, status, said, now)
    said = [
        (ConditionType.Running, False, Reason.Finished, "The run has ended."),
        (ConditionType.Complete, False, Reason.Finished, "The run failed."),
        (ConditionType.Failed, True, outcome.failure.reason, str(outcome.failure)),
        (ConditionType.Promoted, False, Reason.Finished, "The run failed."),
    ]
    return _say(observed, status, said, now)


def _success_message(status: FineTuneJobStatus, outcome: Outcome) -> str:
    if outcome.result is None:
        return "The trainer ended without an error, but left no result."
    stopped = "Stopped early" if outcome.result.stopped_early else "Trained to the end"
    loss = status.metrics.best_eval_loss or status.metrics.eval_loss
    at = f" at validation loss {loss}" if loss else ""
    at += _accuracy(status.evaluation)
    where = f" Outputs are in {outcome.result.outputs.uri}." if outcome.result.outputs.uri else ""
    return f"{stopped}{at}. {describe_progress(status.progress)}{where}"


def _succeeded(message: str) -> list[Said]:
    return [
        (ConditionType.Running, False, Reason.Finished, "The run has ended."),
        (ConditionType.Complete, True, Reason.Succeeded, message),
        (ConditionType.Failed, False, Reason.NotFailed, ""),
    ]


def _accuracy(evaluation: EvaluationReport | None) -> str:
    if evaluation is None or evaluation.tuned.field_accuracy is None:
        return ""
    base, tuned = evaluation.base.field_accuracy, evaluation.tuned.field_accuracy
    return f", field accuracy {tuned} (base model: {base})"


def _promoted(evaluation: EvaluationReport | None, *, restored: bool = False) -> Said:
    """Whether `latest.json` was moved to a run that succeeded."""
    gate = evaluation.gate if evaluation else None
    if gate is not None and not gate.passed:
        message = f"{gate.message} The outputs are kept; latest.json was not moved."
        return ConditionType.Promoted, False, Reason.GateFailed, message
    moved = (
        "latest.json was moved to this run when it succeeded." if restored else "latest.json names this run."
    )
    if gate is None:
        return ConditionType.Promoted, True, Reason.NoGate, moved
    return ConditionType.Promoted, True, Reason.GatePassed, f"{gate.message} {moved}"


def _go_on(observed: Observed, status: FineTuneJobStatus, activity: Activity, now: str) -> FineTuneJobStatus:
    """The status of a run that has not ended."""
    said: list[Said] = [
        (ConditionType.Running, activity.running, activity.reason, activity.message),
        (ConditionType.Complete, False, Reason.NotFinished, "The run has not ended."),
        (ConditionType.Failed, False, Reason.NotFailed, ""),
        (ConditionType.Promoted, False, Reason.NotFinished, "The run has not ended."),
    ]
    return _say(observed, status if activity.running else _without_eta(status), said, now)


def _finish(observed: Observed, status: FineTuneJobStatus, trouble: str, now: str) -> FineTuneJobStatus:
    """What is said of an ended run stays, whatever becomes of its Job; its experiments may be in trouble."""
    said: list[Said] = []
    for condition in status.conditions:
        message = condition.message
        if condition.type == ConditionType.Running:
            message = message.partition(_TROUBLE)[0] + (f"{_TROUBLE}{trouble}" if trouble else "")
        if condition.type in _OF_THE_RUN:
            said.append(
                (ConditionType(condition.type), condition.status == "True", condition.reason, message)
            )
    return _say(observed, status, said, now)


def _without_eta(status: FineTuneJobStatus) -> FineTuneJobStatus:
    return status.model_copy(update={"progress": status.progress.model_copy(update={"eta_seconds": None})})


def _say(observed: Observed, status: FineTuneJobStatus, said: list[Said], now: str) -> FineTuneJobStatus:
    """The status with the run's own conditions as said, and with all that follows from them."""
    generation = observed.job.metadata.generation
    conditions = status.conditions
    for type_, holds, reason, message in [*_of_spec(observed, status), *said, *_for_kstatus(said)]:
        conditions = set_condition(
            conditions,
            type_,
            holds=holds,
            reason=reason,
            message=_clean(message),
            generation=generation,
            now=now,
        )
    status = status.model_copy(
        update={
            "observed_generation": generation,
            "conditions": conditions,
            "experiments": build_experiment_statuses(observed),
        }
    )
    return status.model_copy(update={"summary": _build_summary(status)})


def _of_spec(observed: Observed, status: FineTuneJobStatus) -> list[Said]:
    ended = status.run is not None and bool(status.run.completion_time)
    accepted: Said = (ConditionType.Accepted, True, Reason.Accepted, "The spec is valid.")
    if not observed.job.spec.suspend:
        return [accepted, (ConditionType.Suspended, False, Reason.NotSuspended, "")]
    if ended:
        return [accepted, (ConditionType.Suspended, False, Reason.Finished, "The run had ended before.")]
    message = "spec.suspend is true; the run goes on from its last checkpoint once it is false."
    return [accepted, (ConditionType.Suspended, True, Reason.SuspendedBySpec, message)]


def _for_kstatus(said: list[Said]) -> list[Said]:
    """Reconciling and Stalled, from the others. A run at rest in suspension has nothing to wait for."""
    by_type = {type_: (holds, reason, message) for type_, holds, reason, message in said}
    _, doing, what = by_type[ConditionType.Running]
    failed, why, how = by_type[ConditionType.Failed]
    ended = failed or by_type[ConditionType.Complete][0]
    return [
        (ConditionType.Reconciling, not ended and doing != Reason.SuspendedBySpec, doing, what),
        (ConditionType.Stalled, failed, why, how),
    ]


def _build_summary(status: FineTuneJobStatus) -> Summary:
    return Summary(
        state=_derive_state(status.conditions),
        progress=f"{status.progress.percent}%",
        eta=format_eta(status.progress.eta_seconds),
        loss=status.metrics.train_loss or "-",
    )


def _derive_state(conditions: list[Condition]) -> State:
    """The job's state in one word: the first of these that holds."""
    holds = {condition.type for condition in conditions if condition.status == "True"}
    for type_, state in (
        (ConditionType.Complete, State.Complete),
        (ConditionType.Failed, State.Failed),
        (ConditionType.Suspended, State.Suspended),
        (ConditionType.Running, State.Running),
    ):
        if type_ in holds:
            return state
    running = next((c for c in conditions if c.type == ConditionType.Running), None)
    return State.Retrying if running is not None and running.reason == Reason.Retrying else State.Pending


def _clean(message: str) -> str:
    """One line within the API's limit: messages quote schedulers, kubelets and trainers."""
    return " ".join(message.translate(_CONTROL_CHARACTERS).split())[:32768]
