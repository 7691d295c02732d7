"""A Job's status as the Job controller writes it."""

from typing import Any

from finscribe_operator.clock import utc_now
from finscribe_operator.objects import Object


def condition(type_: str, status: str, reason: str, message: str) -> dict[str, Any]:
    """One condition of a Job or a pod, of now."""
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
    """The status with the condition added, or replaced when there is one of its type."""
    others = [c for c in status.get("conditions", []) if c["type"] != new["type"]]
    return {**status, "conditions": [*others, new]}


def holds(obj: Object, type_: str) -> bool:
    """Whether an object's condition is True."""
    conditions = obj.get("status", {}).get("conditions", [])
    return any(c["type"] == type_ and c["status"] == "True" for c in conditions)


def is_finished(job: Object) -> bool:
    """Whether the Job is complete or failed, and so never runs again."""
    return holds(job, "Complete") or holds(job, "Failed")


def started(status: Object) -> Object:
    """The Job has a pod's place to fill, from now."""
    status = {**status, "startTime": utc_now()}
    if any(c["type"] == "Suspended" for c in status.get("conditions", [])):
        status = with_condition(status, condition("Suspended", "False", "JobResumed", "Job resumed"))
    return status


def stopped(status: Object) -> Object:
    """The Job holds no pod, and its deadline's clock stands still."""
    return {k: v for k, v in status.items() if k not in ("startTime", "active", "ready")}


def suspended(status: Object) -> Object:
    """The same, because its spec says so."""
    return with_condition(stopped(status), condition("Suspended", "True", "JobSuspended", "Job suspended"))


def complete(status: Object) -> Object:
    """The Job's pod succeeded."""
    message = "Reached expected number of succeeded pods"
    for type_ in ("SuccessCriteriaMet", "Complete"):
        status = with_condition(status, condition(type_, "True", "CompletionsReached", message))
    return {**status, "active": 0, "ready": 0, "succeeded": 1, "completionTime": utc_now()}


def failed(status: Object, reason: str, message: str) -> Object:
    """The Job is given up."""
    for type_ in ("FailureTarget", "Failed"):
        status = with_condition(status, condition(type_, "True", reason, message))
    return {**status, "active": 0, "ready": 0}
