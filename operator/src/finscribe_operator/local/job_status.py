"""Builds a Job's status as Kubernetes' Job controller writes it."""

from typing import Any

from finscribe_operator.clock import utc_now
from finscribe_operator.objects import Object


def condition(type_: str, status: str, reason: str, message: str) -> dict[str, Any]:
    """A condition with the current time."""
    now = utc_now()
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "lastProbeTime": now,
        "lastTransitionTime": now,
    }


def with_condition(status: Object, new: dict[str, Any]) -> Object:
    """The status with the condition added, or replaced when one of its type exists."""
    others = [c for c in status.get("conditions", []) if c["type"] != new["type"]]
    return {**status, "conditions": [*others, new]}


def condition_is_true(obj: Object, type_: str) -> bool:
    """Whether an object's condition of that type is True."""
    conditions = obj.get("status", {}).get("conditions", [])
    return any(c["type"] == type_ and c["status"] == "True" for c in conditions)


def is_finished(job: Object) -> bool:
    """Whether the Job is complete or failed, so that no pod starts again."""
    return condition_is_true(job, "Complete") or condition_is_true(job, "Failed")


def started(status: Object) -> Object:
    """The status of a Job that starts now."""
    status = {**status, "startTime": utc_now()}
    if any(c["type"] == "Suspended" for c in status.get("conditions", [])):
        status = with_condition(status, condition("Suspended", "False", "JobResumed", "Job resumed"))
    return status


def stopped(status: Object) -> Object:
    """The status of a Job without a pod, whose deadline does not run."""
    return {k: v for k, v in status.items() if k not in ("startTime", "active", "ready")}


def suspended(status: Object) -> Object:
    """The status of a Job that its spec suspends."""
    return with_condition(stopped(status), condition("Suspended", "True", "JobSuspended", "Job suspended"))


def complete(status: Object) -> Object:
    """The status of a Job whose pod succeeded."""
    message = "Reached expected number of succeeded pods"
    for type_ in ("SuccessCriteriaMet", "Complete"):
        status = with_condition(status, condition(type_, "True", "CompletionsReached", message))
    return {**status, "active": 0, "ready": 0, "succeeded": 1, "completionTime": utc_now()}


def failed(status: Object, reason: str, message: str) -> Object:
    """The status of a Job that failed."""
    for type_ in ("FailureTarget", "Failed"):
        status = with_condition(status, condition(type_, "True", reason, message))
    return {**status, "active": 0, "ready": 0}
