"""Ends a run whose container has failed in its pod more often than `spec.backoffLimit` allows; pure.

The Job counts the pods that have failed, and knows nothing of the containers that were started again in one
(`manifests/job.py`): the operator adds both up, and ends the Job like one whose pod does not start in time.
"""

from finscribe_core.constants import ANNOTATION_GAVE_UP
from finscribe_core.texts import to_one_line
from finscribe_operator.attempts import explain_failure, explain_restart
from finscribe_operator.intake import NOTE_LIMIT
from finscribe_operator.objects import Object, is_being_deleted
from finscribe_operator.observe import Observed
from finscribe_operator.outcome import describe_giving_up, is_told_to_end, read_outcome
from finscribe_operator.start_deadline import AT_ONCE


def has_used_up_retries(observed: Observed) -> bool:
    """Whether the last attempt that the run may have has failed, and the Job does not see it.

    A trainer that runs again is not ended: the limit may have been lowered since.
    """
    job, pod = observed.batch_job, observed.newest_pod
    if job is None or pod is None or is_told_to_end(job) or is_being_deleted(job):
        return False
    if not (observed.is_restarting or observed.restarts):
        return False
    if read_outcome(job, ()) is not None or observed.job.spec.suspend or job["spec"].get("suspend"):
        return False
    has_failed = observed.is_restarting or explain_failure(pod) is not None
    return has_failed and observed.failed_attempts > observed.job.spec.backoff_limit


def build_retry_limit_patch(observed: Observed) -> Object:
    """Merge patch of the Job that ends it. Why its container failed is lost with the pod, so it is noted."""
    pod = observed.newest_pod
    last = pod and (explain_restart(pod) or explain_failure(pod))
    assert last
    text = f"{describe_giving_up(observed.failed_attempts, last)} {last.remedy}"
    annotations = {ANNOTATION_GAVE_UP: to_one_line(f"{last.reason} {text}", NOTE_LIMIT)}
    return {"metadata": {"annotations": annotations}, "spec": AT_ONCE}
