"""Decides when a job whose settings have not changed is trained again, and what its status keeps of that.

A run is started at a time of the schedule, or because the training data have changed. Such an occasion is a
part of the run's name, so that it starts one run, whenever and however often the operator is restarted: the
status that describes the new run also says until when the schedule is handled.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from finscribe_core.api.base import count_seconds
from finscribe_core.api.retraining import (
    ConcurrencyPolicy,
    DataChangeSpec,
    RetrainStatus,
    RunCause,
    ScheduleSpec,
    ScheduleStatus,
    SpecChangePolicy,
)
from finscribe_core.api.v1alpha1 import FineTuneJobSpec, FineTuneJobStatus, RunStatus
from finscribe_operator.clock import seconds_between
from finscribe_operator.objects import Object
from finscribe_operator.schedule import describe, last_time, next_time


@dataclass(frozen=True)
class Occasion:
    """What a run is started for, though its settings are not new."""

    cause: RunCause
    text: str
    """The time of the schedule (RFC 3339), or the fingerprint of the data."""


def find_occasion(spec: FineTuneJobSpec, status: FineTuneJobStatus, now: str) -> Occasion | None:
    """The occasion for which a run has to start now; None when there is none.

    Args:
        spec: the job's spec.
        status: its status, of a run with the settings of the spec.
        now: the current time (RFC 3339).
    """
    if status.run is None or status.retrain is None or spec.suspend:
        return None
    schedule, check = spec.retrain.schedule, spec.retrain.on_data_change
    if schedule is not None and (time := _find_scheduled_time(schedule, status, now)):
        return Occasion(RunCause.Scheduled, time)
    if check is not None and (fingerprint := _find_changed_data(check, status, now)):
        return Occasion(RunCause.DataChanged, fingerprint)
    return None


def holds_back(spec: FineTuneJobSpec, run: RunStatus) -> bool:
    """Whether the present run is kept, though the spec asks for another one.

    A run of a version of the operator that did not record its settings is not: it could not be continued.
    """
    if not run.settings:
        return False
    if spec.retrain.on_spec_change is SpecChangePolicy.Wait:
        return not run.completion_time
    is_triggered = trigger_of(run.settings) != (spec.retrain.trigger or "")
    return spec.retrain.on_spec_change is SpecChangePolicy.Ignore and not is_triggered


def find_cause(before: RunStatus | None, settings: Object) -> RunCause:
    """Why a run with new settings (as written in the spec) starts after another run."""
    if before is None:
        return RunCause.Created
    others = [{k: v for k, v in s.items() if k != "retrain"} for s in (before.settings, settings)]
    is_triggered = trigger_of(before.settings) != trigger_of(settings)
    return RunCause.Triggered if is_triggered and others[0] == others[1] else RunCause.SpecChanged


def trigger_of(settings: Object) -> str:
    """`retrain.trigger` of training settings as they are written; empty without one."""
    return str((settings.get("retrain") or {}).get("trigger") or "")


def build_retrain_status(
    spec: FineTuneJobSpec, status: FineTuneJobStatus, now: str, occasion: Occasion | None = None
) -> RetrainStatus | None:
    """What the status says about `spec.retrain`; None when there is nothing to say.

    Args:
        spec: the job's spec.
        status: its status.
        now: the current time (RFC 3339).
        occasion: what a run is about to be started for.
    """
    known = status.retrain or RetrainStatus()
    schedule = spec.retrain.schedule
    result = RetrainStatus(
        schedule=_build_schedule_status(schedule, status, now, occasion) if schedule else None,
        data_check=known.data_check if spec.retrain.on_data_change else None,
    )
    is_used = schedule is not None or spec.retrain.on_data_change is not None
    return result if is_used else None


def is_check_due(spec: FineTuneJobSpec, status: FineTuneJobStatus, now: str) -> bool:
    """Whether the training data have to be checked now."""
    time = next_check_time(spec, status, now)
    return bool(time) and time <= now


def next_check_time(spec: FineTuneJobSpec, status: FineTuneJobStatus, now: str) -> str:
    """When the training data have to be checked (RFC 3339); empty while that is not known."""
    check = spec.retrain.on_data_change
    if check is None or status.run is None or not status.run.completion_time or spec.suspend:
        return ""
    last = status.retrain.data_check if status.retrain else None
    return _later(last.time, count_seconds(check.check_every)) if last else now


def next_change_time(spec: FineTuneJobSpec, status: FineTuneJobStatus) -> str:
    """When `minimumInterval` ends (RFC 3339); empty without one."""
    check, run = spec.retrain.on_data_change, status.run
    if check is None or run is None or not run.completion_time or spec.suspend:
        return ""
    return _later(run.start_time or run.completion_time, count_seconds(check.minimum_interval))


def _find_scheduled_time(schedule: ScheduleSpec, status: FineTuneJobStatus, now: str) -> str:
    known = status.retrain.schedule if status.retrain else None
    if known is None or known.expression != describe(schedule):
        return ""  # earlier times were not times of this schedule
    last = last_time(schedule, now)
    if last <= known.handled_until or _is_too_late(schedule, last, now):
        return ""
    is_active = status.run is not None and not status.run.completion_time
    return "" if is_active and schedule.concurrency_policy is ConcurrencyPolicy.Forbid else last


def _find_changed_data(check: DataChangeSpec, status: FineTuneJobStatus, now: str) -> str:
    run, last = status.run, status.retrain.data_check if status.retrain else None
    if run is None or not run.completion_time or run.dataset is None:
        return ""
    if last is None or last.dataset is None or last.time <= run.completion_time:
        return ""
    found = last.dataset
    if found.fingerprint == run.dataset.fingerprint:
        return ""
    if check.minimum_new_samples:
        more = (found.samples or 0) - (run.dataset.samples or 0)
        if more < check.minimum_new_samples:
            return ""
    began = run.start_time or run.completion_time
    is_too_soon = seconds_between(began, now) < count_seconds(check.minimum_interval)
    return "" if is_too_soon else found.fingerprint


def _build_schedule_status(
    schedule: ScheduleSpec, status: FineTuneJobStatus, now: str, occasion: Occasion | None
) -> ScheduleStatus:
    known = status.retrain.schedule if status.retrain else None
    expression = describe(schedule)
    if known is None or known.expression != expression:
        known = ScheduleStatus(expression=expression, handled_until=now)
    handled, missed = known.handled_until, known.last_missed_time
    if occasion is not None and occasion.cause is RunCause.Scheduled:
        handled = max(handled, occasion.text)
    last = last_time(schedule, now)
    if last > handled and _is_too_late(schedule, last, now):
        handled = missed = last
    upcoming = next_time(schedule, max(handled, last)) or None
    return ScheduleStatus(
        expression=expression, handled_until=handled, next_time=upcoming, last_missed_time=missed
    )


def _is_too_late(schedule: ScheduleSpec, time: str, now: str) -> bool:
    limit = schedule.starting_deadline_seconds
    return limit is not None and seconds_between(time, now) > limit


def _later(time: str, seconds: int) -> str:
    later = datetime.fromisoformat(time) + timedelta(seconds=seconds)
    return later.strftime("%Y-%m-%dT%H:%M:%SZ")
