"""Finds when a job has to be reconciled next though nothing in the cluster changes; pure functions."""

from finscribe_core.api.v1alpha1 import FineTuneJobSpec
from finscribe_operator.clock import seconds_between
from finscribe_operator.observe import Observed


def has_times(spec: FineTuneJobSpec) -> bool:
    """Whether a job with this spec may ever be due; checked first, as observing a job again takes time."""
    return False


def seconds_until_due(observed: Observed, now: str) -> float | None:
    """Seconds until the first of the job's times; None when it has none."""
    return min((seconds_between(now, time) for time in _find_times(observed)), default=None)


def _find_times(observed: Observed) -> list[str]:
    """The times (RFC 3339) at which the plan for the job changes by itself."""
    return []
