"""Reads how a run ended: from its Job's conditions, with the reason from its pods."""

from collections.abc import Sequence
from dataclasses import dataclass

from finscribe_core.constants import ANNOTATION_GAVE_UP, ANNOTATION_START_DEADLINE
from finscribe_core.errors import FailureReason
from finscribe_core.report import RunResult
from finscribe_operator.attempts import Failure, explain_failure, read_result
from finscribe_operator.objects import Object, node_rank, true_condition

_START_AGAIN = (
    "Correct that, or raise spec.startDeadlineSeconds if it only takes long, and set the annotation "
    "finscribe.io/retry."
)


@dataclass(frozen=True)
class Outcome:
    """The end of a run."""

    completion_time: str
    """When it ended (RFC 3339)."""
    failure: Failure | None
    """Why it failed; None when it succeeded."""
    result: RunResult | None
    """The result that its last attempt reported, if any."""


def read_outcome(job: Object, pods: Sequence[Object]) -> Outcome | None:
    """The end of a run, from its Job and the Job's pods (oldest first); None while it has not ended."""
    if complete := true_condition(job, "Complete"):
        ended = job["status"].get("completionTime") or complete["lastTransitionTime"]
        return Outcome(ended, None, _last_result(pods, succeeded=True))
    if failed := true_condition(job, "Failed"):
        failure = _explain(job, failed, last_failure(pods))
        return Outcome(failed["lastTransitionTime"], failure, _last_result(pods, succeeded=False))
    return None


def is_told_to_end(job: Object) -> bool:
    """Whether the operator has told the Job to end, and has noted why."""
    return bool(_find_note(job, ANNOTATION_START_DEADLINE) or _find_note(job, ANNOTATION_GAVE_UP))


def _find_note(job: Object, annotation: str) -> str:
    return str((job["metadata"].get("annotations") or {}).get(annotation, ""))


def describe_giving_up(failed: int, last: Failure | None) -> str:
    """How often a run has failed, and why the last time."""
    gave_up = f"Gave up after {failed} failed attempt{'' if failed == 1 else 's'}"
    return f"{gave_up}; the last one: {last.message}" if last else f"{gave_up}."


def last_failure(pods: Sequence[Object]) -> Failure | None:
    """Why the last failed attempt failed: of several nodes' pods that one which did not only lose another."""
    failed = [pod for pod in reversed(pods) if pod.get("status", {}).get("phase") == "Failed"]
    ranks = list(dict.fromkeys(node_rank(pod) for pod in failed))
    last = [next(pod for pod in failed if node_rank(pod) == rank) for rank in ranks]
    found = [failure for pod in last if (failure := explain_failure(pod))]
    # min returns the first of equals: the newest.
    return min(found, key=lambda f: (f.reason == FailureReason.PeerLost, not f.counts), default=None)


def _last_result(pods: Sequence[Object], *, succeeded: bool) -> RunResult | None:
    results = (read_result(pod) for pod in reversed(pods))
    return next((r for r in results if r is not None and r.succeeded is succeeded), None)


def _explain(job: Object, condition: Object, attempt: Failure | None) -> Failure:
    """The last attempt's failure where the Job only says that it gave up; else the Job's own reason."""
    reason = condition.get("reason", "")
    if reason == "DeadlineExceeded" and (missed_start := _find_note(job, ANNOTATION_START_DEADLINE)):
        return Failure(FailureReason.StartDeadlineExceeded, missed_start, _START_AGAIN)
    if reason == "DeadlineExceeded" and (gave_up := _find_note(job, ANNOTATION_GAVE_UP)):
        last, _, message = gave_up.partition(" ")
        return Failure(last, message)
    if reason == "DeadlineExceeded":
        seconds = job["spec"].get("activeDeadlineSeconds")
        return Failure(
            FailureReason.DeadlineExceeded,
            f"The run took longer than spec.activeDeadlineSeconds ({seconds}).",
            "Raise it, and set the annotation finscribe.io/retry.",
        )
    if reason != "BackoffLimitExceeded":
        return attempt or Failure(FailureReason.InternalError, condition.get("message", "The Job failed."))
    gave_up = describe_giving_up(int(job["status"].get("failed", 0)), attempt)
    if attempt is None:
        return Failure(FailureReason.BackoffLimitExceeded, gave_up, "Raise spec.backoffLimit.")
    return Failure(attempt.reason, gave_up, attempt.remedy)
