"""Ends a run whose pod holds a node's resources and does not start (`spec.startDeadlineSeconds`); pure.

The operator notes why in an annotation of the Job and lowers the Job's activeDeadlineSeconds: Kubernetes then
ends the pod and the Job, and the annotation tells the reason from an exceeded `spec.activeDeadlineSeconds`.
"""

from finscribe_core.constants import ANNOTATION_START_DEADLINE
from finscribe_core.texts import to_one_line
from finscribe_operator.clock import seconds_between
from finscribe_operator.intake import NOTE_LIMIT
from finscribe_operator.objects import Object, assigned_at, is_being_deleted, is_starting, true_condition
from finscribe_operator.observe import Observed
from finscribe_operator.outcome import is_told_to_end, read_outcome
from finscribe_operator.waiting import explain_waiting

AT_ONCE = {"activeDeadlineSeconds": 1}
"""The part of a Job's spec with which Kubernetes ends it."""


def is_overdue(observed: Observed, now: str) -> bool:
    """Whether the pod should have started by now, and the Job has not been told to end.

    A pod that is being deleted or disrupted is not late: its node may be gone. A suspended Job's pod is about
    to be deleted.
    """
    job, pod, limit = observed.batch_job, observed.slowest_pod, observed.job.spec.start_deadline_seconds
    if not limit or job is None or pod is None or is_told_to_end(job) or not is_starting(pod):
        return False
    if is_being_deleted(job) or is_being_deleted(pod) or true_condition(pod, "DisruptionTarget"):
        return False
    if read_outcome(job, ()) is not None or observed.job.spec.suspend or job["spec"].get("suspend"):
        return False
    return seconds_between(assigned_at(pod), now) >= limit


def build_give_up_patch(observed: Observed) -> Object:
    """Merge patch of the Job that ends it. What its pod waits for is lost with the pod, so it is noted."""
    pod = observed.slowest_pod
    assert pod is not None
    _, waiting = explain_waiting(pod, observed.job.spec, observed.pod_warning)
    text = (
        f"Pod {pod['metadata']['name']} has not started within "
        f"{observed.job.spec.start_deadline_seconds} s on node {pod['spec']['nodeName']}: {waiting}"
    )
    annotations = {ANNOTATION_START_DEADLINE: to_one_line(text, NOTE_LIMIT)}
    return {"metadata": {"annotations": annotations}, "spec": AT_ONCE}
