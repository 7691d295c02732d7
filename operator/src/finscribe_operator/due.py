"""Finds when a job has to be reconciled next though nothing in the cluster changes; pure functions."""

from finscribe_core.api.v1alpha1 import FineTuneJobSpec
from finscribe_operator.clock import seconds_between
from finscribe_operator.expiry import find_expiry
from finscribe_operator.observe import Observed
from finscribe_operator.retraining import next_change_time, next_check_time

SOONEST_SECONDS = 1.0


def has_times(spec: FineTuneJobSpec) -> bool:
    """Whether a job with this spec may ever be due; checked first, as observing a job again takes time."""
    return (
        spec.retrain.schedule is not None
        or spec.retrain.on_data_change is not None
        or spec.ttl_seconds_after_finished is not None
    )


def seconds_until_due(observed: Observed, now: str) -> float | None:
    """Seconds until the first of the job's times; None when it has none."""
    seconds = min((seconds_between(now, time) for time in _find_times(observed, now)), default=None)
    # A time that has passed: what was just deleted is still known, until its watch event arrives.
    return None if seconds is None else max(seconds, SOONEST_SECONDS)


def _find_times(observed: Observed, now: str) -> list[str]:
    """The times (RFC 3339) at which the plan for the job changes by itself.

    Times that are past are not among them: the status has taken them into account. A check of the data that
    has become due is, until its Job exists, and so is a deletion, until nothing is left to delete.
    """
    spec, status = observed.job.spec, observed.job.status
    schedule = status.retrain.schedule if status.retrain else None
    times = [schedule.next_time if schedule else "", next_change_time(spec, status)]
    found = [time for time in times if time and time > now]
    if observed.data_check_job is None and (check := next_check_time(spec, status, now)):
        found.append(check)
    expiry = find_expiry(observed)
    return [*found, expiry] if expiry else found
