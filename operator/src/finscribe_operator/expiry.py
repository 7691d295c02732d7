"""Finds what is deleted some time after a run has ended, and when (`spec.ttlSecondsAfterFinished`); pure."""

from finscribe_core.api.v1alpha1 import TtlTarget
from finscribe_operator.clock import add_seconds, seconds_between
from finscribe_operator.experiments import have_ended
from finscribe_operator.objects import Object, is_being_deleted
from finscribe_operator.observe import Observed


def find_expiring(observed: Observed) -> list[Object]:
    """What is deleted: the Jobs of all runs, or the FineTuneJob once its experiments have ended.

    Without those that are being deleted.
    """
    expiring = list(observed.jobs.values())
    if observed.job.spec.ttl_target is TtlTarget.FineTuneJob:
        expiring = [observed.raw] if have_ended(observed) else []
    return [obj for obj in expiring if not is_being_deleted(obj)]


def find_expiry(observed: Observed) -> str | None:
    """When it is deleted (RFC 3339); None if there is nothing to delete, or the run has not ended.

    A run that is to continue, as after a request for a retry, has not ended. A pod that looks for its result
    or checks its data needs its ConfigMap.
    """
    run, ttl = observed.job.status.run, observed.job.spec.ttl_seconds_after_finished
    has_ended = observed.is_concluded and not observed.needs_new_attempt
    if ttl is None or run is None or not run.completion_time or not has_ended:
        return None
    if observed.is_looking_for_result or observed.tasks:
        return None
    return add_seconds(run.completion_time, ttl) if find_expiring(observed) else None


def is_expired(observed: Observed, now: str) -> bool:
    """Whether it is to be deleted by now."""
    expiry = find_expiry(observed)
    return expiry is not None and seconds_between(expiry, now) >= 0
