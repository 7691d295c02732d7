"""Reads the Workload by which Kueue keeps a run's Job in a queue, and says what the run waits for; pure.

Kueue makes one Workload for each Job with its label, and alone sets the Job's `suspend`: false while the
Workload is admitted. To suspend a run, its Workload is made inactive (`spec.active`).
"""

from dataclasses import dataclass

from finscribe_core.api.conditions import Reason
from finscribe_core.constants import ANNOTATION_SUSPENDED, LABEL_QUEUE
from finscribe_operator.objects import Object, Ref, find_condition, label, true_condition

WORKLOAD_API_VERSION = "kueue.x-k8s.io/v1beta2"
"""Served by Kueue from version 0.15 on."""
WORKLOAD_KIND = "Workload"
LABEL_JOB_UID = "kueue.x-k8s.io/job-uid"
"""Kueue's label of a Workload: the uid of its Job."""


@dataclass(frozen=True)
class Workload:
    """What matters here of a Workload."""

    ref: Ref
    job_uid: str
    active: bool
    """Whether Kueue may admit it."""
    suspended_by_spec: bool
    """Whether the operator has made it inactive."""
    reason: Reason
    message: str
    """What the run waits for, with Kueue's words."""

    @classmethod
    def of(cls, obj: Object) -> "Workload":
        """Read the object of the API."""
        reason, message = _explain(obj)
        return cls(
            ref=Ref.of({**obj, "apiVersion": WORKLOAD_API_VERSION, "kind": WORKLOAD_KIND}),
            job_uid=label(obj, LABEL_JOB_UID),
            active=_is_active(obj),
            suspended_by_spec=ANNOTATION_SUSPENDED in (obj["metadata"].get("annotations") or {}),
            reason=reason,
            message=message,
        )


def is_in_queue(job: Object) -> bool:
    """Whether Kueue sets the Job's `suspend`."""
    return bool(label(job, LABEL_QUEUE))


def explain_queue(job: Object, workload: Workload | None) -> tuple[Reason, str]:
    """What a suspended Job in a queue waits for."""
    if workload is not None:
        return workload.reason, workload.message
    return Reason.Queued, (
        f"Waiting for Kueue to take the run into the queue {label(job, LABEL_QUEUE)}. If this lasts, Kueue "
        "(0.15 or later) is not installed, or does not manage Jobs of this namespace."
    )


def build_activation_patch(active: bool) -> Object:
    """Merge patch that suspends or resumes a Workload."""
    annotation = None if active else "true"
    return {"metadata": {"annotations": {ANNOTATION_SUSPENDED: annotation}}, "spec": {"active": active}}


def _explain(obj: Object) -> tuple[Reason, str]:
    queue = f"queue {obj['spec'].get('queueName', '')}"
    evicted, reserved = true_condition(obj, "Evicted"), true_condition(obj, "QuotaReserved")
    if not _is_active(obj):
        name = obj["metadata"]["name"]
        remedy = f"Set spec.active of the Workload {name} to true to resume the run."
        return Reason.Deactivated, f"The run is inactive in the {queue}.{_quote(evicted)} {remedy}"
    was_resumed = evicted is not None and evicted.get("reason", "").startswith("Deactivated")
    if evicted and not was_resumed:  # its quota may still be reserved until its pod has ended
        gave = f"The run has to give its quota back, and waits in the {queue} again."
        wait = "" if reserved else _quote(find_condition(obj, "QuotaReserved"))
        return Reason.Requeued, f"{gave}{_quote(evicted)}{wait}"
    if reserved:
        is_admitted = true_condition(obj, "Admitted") is not None
        wait = "The queue is about to resume the Job." if is_admitted else "Waiting for the admission checks."
        return Reason.QuotaReserved, f"{wait}{_quote(reserved)}"
    return Reason.Queued, f"The run waits in the {queue}.{_quote(find_condition(obj, 'QuotaReserved'))}"


def _is_active(obj: Object) -> bool:
    return bool(obj["spec"].get("active", True))


def _quote(condition: Object | None) -> str:
    """Kueue's own words, after a space; empty without the condition."""
    if condition is None:
        return ""
    return f" {condition.get('reason', '')}: {str(condition.get('message', '')).strip().rstrip('.')}."
