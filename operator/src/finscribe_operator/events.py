"""Builds the Events of a job, one per transition of its status, for `kubectl describe`."""

import re

from finscribe_core.api.conditions import Condition, ConditionType, Reason, find_typed
from finscribe_core.api.retraining import RetrainStatus
from finscribe_core.api.v1alpha1 import FineTuneJobStatus, RunStatus
from finscribe_operator.cluster import Event
from finscribe_operator.shared_output import find_shared_output

_WARNINGS = (
    *(Reason.Retrying, Reason.PodCreationFailed, Reason.ProgressUnknown, Reason.NodeUnreachable),
    *(Reason.Requeued, Reason.Deactivated),
)
"""Reasons of the Running condition that are worth an Event."""


def build_events(old: FineTuneJobStatus, new: FineTuneJobStatus) -> list[Event]:
    """The Events for the difference between two statuses."""
    return [
        *_spec_events(old, new),
        *_retrain_events(old, new),
        *_run_events(old, new),
        *_outcome_events(old, new),
    ]


def build_outcome_events(status: FineTuneJobStatus) -> list[Event]:
    """The Events about how a run ended."""
    return _outcome_events(FineTuneJobStatus(), status)


def _spec_events(old: FineTuneJobStatus, new: FineTuneJobStatus) -> list[Event]:
    events = []
    accepted, was_accepted = (_get(s, ConditionType.Accepted) for s in (new, old))
    if accepted and accepted.status == "False" and not _same(accepted, was_accepted):
        events.append(Event("Warning", Reason.InvalidSpec, accepted.message))
    if was_accepted and was_accepted.status == "False" and accepted and accepted.status == "True":
        events.append(Event("Normal", Reason.Accepted, "The spec is valid again."))
    shared, was_shared = (find_shared_output(c.message if c else "") for c in (accepted, was_accepted))
    if shared and shared != was_shared:
        events.append(Event("Warning", "OutputShared", shared))
    if _became(old, new, ConditionType.Suspended):
        events.append(Event("Normal", "Suspended", "spec.suspend is true."))
    if _became(new, old, ConditionType.Suspended) and not _ended(new):
        events.append(Event("Normal", "Resumed", "spec.suspend is false; the run resumes."))
    return events


def _run_events(old: FineTuneJobStatus, new: FineTuneJobStatus) -> list[Event]:
    events = []
    before = old.run.name if old.run else None
    if before and new.run and new.run.name != before and not _ended(old):
        why = _describe_cause(new.run)
        events.append(Event("Normal", "Superseded", f"Run {before} was stopped for another one ({why})."))
    if new.run and new.run.name != before and not _ended(new):
        why = _describe_cause(new.run)
        events.append(Event("Normal", "RunStarted", f"Run {new.run.name} started ({why})."))
    if old.run and new.run and new.run.name == before and _has_other_attempt(old.run, new.run):
        text = f"The settings of the pod have changed: run {before} continues in a new one."
        events.append(Event("Normal", "AttemptReplaced", text))
    if old.run and new.run and new.run.name == before and _is_retry(old, new):
        text = f"Run {before} continues from its last checkpoint."
        events.append(Event("Normal", "RetryRequested", text))
    return [*events, *_warnings(_get(new, ConditionType.Running), _get(old, ConditionType.Running))]


def _describe_cause(run: RunStatus) -> str:
    return f"{run.cause}: {run.occasion}" if run.occasion else str(run.cause)


def _retrain_events(old: FineTuneJobStatus, new: FineTuneJobStatus) -> list[Event]:
    events = []
    before, after = old.retrain or RetrainStatus(), new.retrain or RetrainStatus()
    missed = after.schedule.last_missed_time if after.schedule else None
    if missed and missed != (before.schedule.last_missed_time if before.schedule else None):
        text = f"The run of {missed} was left out: spec.retrain.schedule.startingDeadlineSeconds have passed."
        events.append(Event("Warning", "ScheduleMissed", text))
    message = after.data_check.message if after.data_check else ""
    if message and message != (before.data_check.message if before.data_check else ""):
        events.append(Event("Warning", "DataCheckFailed", message))
    return events


def _warnings(running: Condition | None, before: Condition | None) -> list[Event]:
    """One Event for each new cause: a quota's numbers and times change without a new one."""
    if running is None or running.reason not in _WARNINGS:
        return []
    if running.reason == Reason.Retrying:
        is_known = _same(running, before)
    else:
        is_known = before is not None and _cause(running) == _cause(before)
    return [] if is_known else [Event("Warning", running.reason, running.message)]


def _cause(condition: Condition) -> tuple[str, str]:
    return condition.reason, re.sub(r"\d+", "", condition.message)


def _is_retry(old: FineTuneJobStatus, new: FineTuneJobStatus) -> bool:
    """Whether a run that had failed was started again by the annotation."""
    has_other_token = bool(old.run and new.run and old.run.retry_token != new.run.retry_token)
    return has_other_token and _ended(old) and not _ended(new)


def _has_other_attempt(old: RunStatus, new: RunStatus) -> bool:
    return old.attempt_hash not in ("", new.attempt_hash)


def _outcome_events(old: FineTuneJobStatus, new: FineTuneJobStatus) -> list[Event]:
    events = []
    for type_, severity in ((ConditionType.Complete, "Normal"), (ConditionType.Failed, "Warning")):
        condition = _get(new, type_)
        if condition and condition.status == "True" and not _same(condition, _get(old, type_)):
            text = f"{condition.reason}: {condition.message}"
            events.append(Event("Normal" if severity == "Normal" else "Warning", type_, text))
    promoted = _get(new, ConditionType.Promoted)
    if (
        promoted
        and promoted.reason == Reason.GateFailed
        and not _same(promoted, _get(old, ConditionType.Promoted))
    ):
        events.append(Event("Warning", Reason.GateFailed, promoted.message))
    doubt = new.run.under_training if new.run else ""
    if doubt and doubt != (old.run.under_training if old.run else ""):
        events.append(Event("Warning", "UnderTrained", doubt))
    return events


def _get(status: FineTuneJobStatus, type_: ConditionType) -> Condition | None:
    return find_typed(status.conditions, type_)


def _same(new: Condition, old: Condition | None) -> bool:
    return old is not None and (old.status, old.reason, old.message) == (new.status, new.reason, new.message)


def _became(old: FineTuneJobStatus, new: FineTuneJobStatus, type_: ConditionType) -> bool:
    before, after = _get(old, type_), _get(new, type_)
    return bool(after and after.status == "True" and not (before and before.status == "True"))


def _ended(status: FineTuneJobStatus) -> bool:
    return status.run is not None and bool(status.run.completion_time)
