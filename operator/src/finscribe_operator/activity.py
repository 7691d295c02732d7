"""Derives the Running condition of a run that has not ended."""

from dataclasses import dataclass

from finscribe_core.api.conditions import Reason
from finscribe_core.report import Progress, ProgressReport
from finscribe_operator.attempts import (
    Failure,
    container_status,
    explain_disruption,
    explain_failure,
    explain_restart,
)
from finscribe_operator.objects import Object, has_ended, is_being_deleted, is_node_silent, node_rank
from finscribe_operator.observe import Observed
from finscribe_operator.outcome import last_failure
from finscribe_operator.pod_creation import explain_creation_failure, is_current, lacks_pod
from finscribe_operator.waiting import explain_waiting
from finscribe_operator.workloads import explain_queue, is_in_queue

_GIVE_UP = (
    "See `kubectl get node {node}`. If the node is gone for good, `kubectl delete node {node}`, or add the "
    "taint node.kubernetes.io/out-of-service=nodeshutdown:NoExecute to it: only then does the Job replace "
    "the pod, and the run resumes from its last checkpoint. Deleting the pod by force is not enough."
)


@dataclass(frozen=True)
class Activity:
    """Whether the trainer runs, and what it does or waits for: reason and message of the condition."""

    running: bool | None
    """None when it is not known, because the pod's node does not answer."""
    reason: str
    message: str


SUSPENDED = Activity(False, Reason.SuspendedBySpec, "No pod exists while spec.suspend is true.")


def read_activity(observed: Observed) -> Activity:
    """What the desired run does or waits for."""
    pod = observed.slowest_pod
    job = observed.batch_job
    if observed.stray_pods:
        stray = observed.stray_pods[0]
        name = stray["metadata"]["name"]
        waiting = Activity(False, Reason.Stopping, f"Waiting for pod {name} of a deleted Job to end.")
        return _unless_lost(observed, stray, waiting)
    if job is not None and is_being_deleted(job):
        return Activity(False, Reason.Stopping, "The run's Job is being deleted.")
    if observed.gpu_wait and (pod is None or has_ended(pod)):
        return Activity(False, Reason.GpuLimitReached, observed.gpu_wait)
    if pod is None or (_is_suspended(observed) and has_ended(pod)):
        return _read_no_pod(observed)
    if is_being_deleted(pod) and not has_ended(pod):
        disruption = explain_disruption(pod)
        why = f" {disruption.reason}: {disruption.message}" if disruption else _explain_eviction(observed)
        message = f"The pod is being terminated; it saves a checkpoint first.{why}"
        return _unless_lost(observed, pod, Activity(_is_running(pod), Reason.Stopping, message))
    return _read_pod(observed, pod)


def _is_suspended(observed: Observed) -> bool:
    """Whether no pod is created until the spec changes, or another controller resumes the Job."""
    job = observed.batch_job
    return observed.job.spec.suspend or (job is not None and bool(job["spec"].get("suspend")))


def _unless_lost(observed: Observed, pod: Object, stopping: Activity) -> Activity:
    """A pod that is being deleted is stopping, until its kubelet should have confirmed its end."""
    name, deadline = pod["metadata"]["name"], pod["metadata"].get("deletionTimestamp", "")
    node = pod.get("spec", {}).get("nodeName")
    if node and observed.silent_since.get(pod["metadata"]["uid"]) == deadline:
        late = f"Pod {name} should have ended by {deadline}, but node {node} has not confirmed its end."
        return Activity(None, Reason.NodeUnreachable, f"{late} {_GIVE_UP.format(node=node)}")
    return _read_node_silent(pod) if is_node_silent(pod) else stopping


def _explain_eviction(observed: Observed) -> str:
    workload = observed.workload
    is_evicted = workload is not None and workload.reason is Reason.Requeued
    return f" {workload.message}" if workload and is_evicted else ""


def _read_no_pod(observed: Observed) -> Activity:
    if observed.job.spec.suspend:
        return SUSPENDED
    job = observed.batch_job
    if job is not None and job["spec"].get("suspend") and is_in_queue(job):
        return Activity(False, *explain_queue(job, observed.workload))
    if job is not None and job["spec"].get("suspend"):
        message = "Another controller, such as Kueue, has suspended the Job; it starts when that resumes it."
        return Activity(False, Reason.Queued, message)
    if failure := _creation_failure(observed):
        return failure
    return Activity(False, Reason.Pending, "Waiting for the run's pod to be created.")


def _creation_failure(observed: Observed) -> Activity | None:
    event, job = observed.job_warning, observed.batch_job
    if event is None or job is None or not is_current(event, job, observed.newest_pod):
        return None
    why = explain_creation_failure(event)
    return Activity(False, Reason.PodCreationFailed, f"The pod can't be created: {why}")


def _read_pod(observed: Observed, pod: Object) -> Activity:
    phase = pod.get("status", {}).get("phase", "Pending")
    if is_node_silent(pod):
        return _read_node_silent(pod)
    if observed.is_restarting:
        return _read_failed_attempt(observed, explain_restart(pod))
    if phase == "Running":
        return _read_running(observed, pod)
    if phase == "Succeeded":
        return Activity(False, Reason.Finished, "The pod has succeeded; the Job is about to complete.")
    if phase == "Failed":
        return _creation_failure(observed) or _read_failed_attempt(observed, _last_failure(observed))
    reason, message = explain_waiting(pod, observed.job.spec, observed.pod_warning)
    if node_rank(pod) > 0:
        message = f"The run waits for its pod {pod['metadata']['name']}. {message}"
    return Activity(False, reason, message)


def _read_running(observed: Observed, pod: Object) -> Activity:
    report = observed.report
    if lacks_pod(observed.batch_job or {}, observed.pods[observed.desired_run]) and (
        failure := _creation_failure(observed)
    ):
        return failure
    if since := observed.silent_since.get(pod["metadata"]["uid"]):
        return _read_silent(pod, report, since)
    if report is None:
        return Activity(True, "Starting", "The trainer has started and has not reported yet.")
    return Activity(True, report.progress.phase, describe_progress(report.progress))


def _read_silent(pod: Object, report: ProgressReport | None, since: str) -> Activity:
    """A pod that runs, as its kubelet reports, and does not answer the operator."""
    name, node = pod["metadata"]["name"], pod.get("spec", {}).get("nodeName")
    last = f" Before: {describe_progress(report.progress)}" if report else ""
    message = (
        f"No answer from the pod's /progress since {since}.{last} The trainer may be busy, as while it loads "
        f"a model: see `kubectl logs {name}`."
    )
    if node:
        message += " If its log goes on, a NetworkPolicy may separate operator and pod. "
        message += _GIVE_UP.format(node=node)
    return Activity(True, Reason.ProgressUnknown, message)


def _read_node_silent(pod: Object) -> Activity:
    name, node = pod["metadata"]["name"], pod.get("spec", {}).get("nodeName")
    message = f"Node {node} is not ready or does not answer; whether pod {name} still runs is not known."
    return Activity(None, Reason.NodeUnreachable, f"{message} {_GIVE_UP.format(node=node)}")


def describe_progress(progress: Progress) -> str:
    """Steps and epochs as a sentence.

    >>> describe_progress(Progress(step=42, total_steps=100, epoch=1.25))
    'Step 42 of 100, epoch 1.25.'
    """
    if not progress.total_steps:
        return "No step taken yet."
    return f"Step {progress.step} of {progress.total_steps}, epoch {progress.epoch:.2f}."


def _last_failure(observed: Observed) -> Failure | None:
    return last_failure(observed.pods[observed.desired_run])


def _read_failed_attempt(observed: Observed, failure: Failure | None) -> Activity:
    pods = observed.pods[observed.desired_run]
    limit = observed.job.spec.backoff_limit + 1
    # A pod's end is often seen before the Job's count of it; the Job also counts pods that are gone.
    counted = sum(1 for pod in pods if (why := explain_failure(pod)) and why.counts)
    failed = max(counted + observed.restarts, observed.failed_attempts)
    cause = f"{failure.reason}: {failure}" if failure else "the pod failed."
    if failure is not None and not failure.counts:
        message = (
            f"The attempt was interrupted, which does not count as a failure ({failed} of at most {limit})"
        )
    else:
        message = f"Attempt failed ({failed} of at most {limit})"
    return Activity(False, Reason.Retrying, f"{message}; the next resumes from its last checkpoint. {cause}")


def _is_running(pod: Object) -> bool:
    return "running" in (container_status(pod).get("state") or {})
