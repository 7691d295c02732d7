"""Sets a job's conditions, and all that is derived from them: state, columns of kubectl, kstatus; pure."""

from finscribe_core.api.conditions import Condition, ConditionType, Reason, find_typed, set_condition
from finscribe_core.api.described_training import describe_training
from finscribe_core.api.retraining import SpecChangePolicy
from finscribe_core.api.v1alpha1 import FineTuneJobStatus, State, Summary
from finscribe_core.constants import ANNOTATION_PLAN
from finscribe_core.texts import to_one_line
from finscribe_operator.activity import Activity
from finscribe_operator.experiments import build_experiment_statuses
from finscribe_operator.observe import Observed
from finscribe_operator.shared_output import describe_shared_output

ConditionUpdate = tuple[ConditionType, bool | None, str, str]
"""A condition to set: type, whether it is true (None: not known), reason, message."""
MESSAGE_LIMIT = 8192
"""Characters of a condition's message, which may quote schedulers, kubelets and trainers."""


def build_active_status(
    observed: Observed, status: FineTuneJobStatus, activity: Activity, now: str
) -> FineTuneJobStatus:
    """The status of a run that has not ended."""
    updates: list[ConditionUpdate] = [
        (ConditionType.Running, activity.running, activity.reason, activity.message),
        (ConditionType.Complete, False, Reason.NotFinished, "The run has not ended."),
        (ConditionType.Failed, False, Reason.NotFailed, ""),
        (ConditionType.Promoted, False, Reason.NotFinished, "The run has not ended."),
    ]
    has_speed = activity.running and activity.reason != Reason.ProgressUnknown
    return set_conditions(observed, status if has_speed else _without_speed(status), updates, now)


def without_eta(status: FineTuneJobStatus) -> FineTuneJobStatus:
    """The status without the time left, which is not known any more."""
    return status.model_copy(update={"progress": status.progress.model_copy(update={"eta_seconds": None})})


def _without_speed(status: FineTuneJobStatus) -> FineTuneJobStatus:
    """The status of a run that does not train at the moment, as far as is known."""
    unknown = dict.fromkeys(("eta_seconds", "samples_per_second", "tokens_per_second"))
    return status.model_copy(update={"progress": status.progress.model_copy(update=unknown)})


def set_conditions(
    observed: Observed, status: FineTuneJobStatus, updates: list[ConditionUpdate], now: str
) -> FineTuneJobStatus:
    """The status with these conditions of the run, and with all that is derived from them."""
    generation = observed.job.metadata.generation
    conditions = status.conditions
    for type_, holds, reason, message in [
        *_spec_conditions(observed, status),
        *updates,
        *_kstatus_conditions(updates),
    ]:
        conditions = set_condition(
            conditions,
            type_,
            holds=holds,
            reason=reason,
            message=to_one_line(message, MESSAGE_LIMIT),
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


def _spec_conditions(observed: Observed, status: FineTuneJobStatus) -> list[ConditionUpdate]:
    ended = status.run is not None and bool(status.run.completion_time)
    # Not of an ended run: its status, which is complete, would be written again for it.
    training = () if ended else (describe_training(observed.job.spec), _describe_plan(observed))
    message = " ".join(filter(None, (_describe_effect(observed), *training, _describe_sharing(observed))))
    accepted: ConditionUpdate = (ConditionType.Accepted, True, Reason.Accepted, message)
    if not observed.job.spec.suspend:
        return [accepted, (ConditionType.Suspended, False, Reason.NotSuspended, "")]
    if ended:
        return [accepted, (ConditionType.Suspended, False, Reason.Finished, "The run has already ended.")]
    message = "spec.suspend is true; the run resumes from its last checkpoint once it is false."
    return [accepted, (ConditionType.Suspended, True, Reason.SuspendedBySpec, message)]


def _describe_plan(observed: Observed) -> str:
    """What `finscribe submit --plan` found; the spec may have changed since."""
    plan = observed.job.metadata.annotations.get(ANNOTATION_PLAN, "")
    return f"Planned at submit: {plan.rstrip('.')}." if plan else ""


def _describe_sharing(observed: Observed) -> str:
    return describe_shared_output(observed.shares_output_with, observed.job.metadata.namespace)


def _describe_effect(observed: Observed) -> str:
    if not observed.desired.holds_back:
        return "The spec is valid."
    if observed.job.spec.retrain.on_spec_change is SpecChangePolicy.Wait:
        when = "once this run has ended"
    else:
        when = "once spec.retrain.trigger is changed"
    return f"The spec is valid; the training that it asks for starts {when} (spec.retrain.onSpecChange)."


def _kstatus_conditions(updates: list[ConditionUpdate]) -> list[ConditionUpdate]:
    """Reconciling and Stalled, derived from the others. A suspended run without a pod is not reconciling."""
    by_type = {type_: (holds, reason, message) for type_, holds, reason, message in updates}
    _, reason, message = by_type[ConditionType.Running]
    failed, failed_reason, failed_message = by_type[ConditionType.Failed]
    ended = failed or by_type[ConditionType.Complete][0]
    return [
        (ConditionType.Reconciling, not ended and reason != Reason.SuspendedBySpec, reason, message),
        (ConditionType.Stalled, failed, failed_reason, failed_message),
    ]


def _build_summary(status: FineTuneJobStatus) -> Summary:
    state = _derive_state(status.conditions)
    return Summary(
        state=state,
        # A run that stopped early has nothing left to do, either.
        progress="100%" if state == State.Complete else f"{status.progress.percent}%",
        eta=format_eta(status.progress.eta_seconds),
        loss=status.metrics.train_loss or "-",
    )


def _derive_state(conditions: list[Condition]) -> State:
    """The job's state in one word: that of the first of these conditions that is true.

    A job whose pod still saves a checkpoint, or is on a node that does not answer, is not suspended yet.
    """
    true = {condition.type for condition in conditions if condition.status == "True"}
    if ConditionType.Reconciling in true:
        true.discard(ConditionType.Suspended)
    for type_, state in (
        (ConditionType.Complete, State.Complete),
        (ConditionType.Failed, State.Failed),
        (ConditionType.Suspended, State.Suspended),
        (ConditionType.Running, State.Running),
    ):
        if type_ in true:
            return state
    running = find_typed(conditions, ConditionType.Running)
    if running is not None and running.status == "Unknown":
        return State.Unknown
    return State.Retrying if running is not None and running.reason == Reason.Retrying else State.Pending


def format_eta(seconds: int | None) -> str:
    """Remaining time in the form in which `kubectl get` shows ages.

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
