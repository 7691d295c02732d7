"""Derives the Running condition of a run that has not ended."""

from dataclasses import dataclass

from finscribe_core.api.conditions import Reason
from finscribe_core.report import Progress
from finscribe_operator.attempts import container_status, explain_disruption, explain_failure
from finscribe_operator.objects import Object, is_being_deleted
from finscribe_operator.observe import Observed
from finscribe_operator.outcome import last_failure
from finscribe_operator.waiting import explain_waiting


@dataclass(frozen=True)
class Activity:
    """Whether the trainer runs, and what it does or waits for: reason and message of the condition."""

    running: bool
    reason: str
    message: str


def read_activity(observed: Observed) -> Activity:
    """What the desired run does or waits for."""
    pod = observed.newest_pod
    job = observed.batch_job
    if observed.stray_pods:
        name = observed.stray_pods[0]["metadata"]["name"]
        return Activity(False, Reason.Stopping, f"Waiting for pod {name} of a deleted Job to end.")
    if job is not None and is_being_deleted(job):
        return Activity(False, Reason.Stopping, "The run's Job is being deleted.")
    if pod is None or (observed.job.spec.suspend and _has_ended(pod)):
        return _read_no_pod(observed)
    if is_being_deleted(pod) and not _has_ended(pod):
        disruption = explain_disruption(pod)
        why = f" {disruption.reason}: {disruption.message}" if disruption else ""
        message = f"The pod is being terminated; it saves a checkpoint first.{why}"
        return Activity(_is_running(pod), Reason.Stopping, message)
    return _read_pod(observed, pod)


def _read_no_pod(observed: Observed) -> Activity:
    if observed.job.spec.suspend:
        return Activity(False, Reason.SuspendedBySpec, "No pod exists while spec.suspend is true.")
    if observed.batch_job is not None and observed.batch_job["spec"].get("suspend"):
        message = "Another controller, such as Kueue, has suspended the Job; it starts when that resumes it."
        return Activity(False, Reason.Queued, message)
    return Activity(False, Reason.Pending, "Waiting for the run's pod to be created.")


def _read_pod(observed: Observed, pod: Object) -> Activity:
    phase = pod.get("status", {}).get("phase", "Pending")
    if phase == "Running":
        return _read_running(observed)
    if phase == "Succeeded":
        return Activity(False, Reason.Finished, "The pod has succeeded; the Job is about to complete.")
    if phase == "Failed":
        return _read_failed_attempt(observed)
    return Activity(False, *explain_waiting(pod, observed.job.spec))


def _read_running(observed: Observed) -> Activity:
    report = observed.report
    if report is None:
        return Activity(True, "Starting", "The trainer has started and has not reported yet.")
    return Activity(True, report.progress.phase, describe_progress(report.progress))


def describe_progress(progress: Progress) -> str:
    """Steps and epochs as a sentence.

    >>> describe_progress(Progress(step=42, total_steps=100, epoch=1.25))
    'Step 42 of 100, epoch 1.25.'
    """
    if not progress.total_steps:
        return "No step taken yet."
    return f"Step {progress.step} of {progress.total_steps}, epoch {progress.epoch:.2f}."


def _read_failed_attempt(observed: Observed) -> Activity:
    pods = observed.pods[observed.desired_run]
    failure = last_failure(pods)
    limit = observed.job.spec.backoff_limit + 1
    # A pod's end is often seen before the Job's count of it; the Job also counts pods that are gone.
    counted = sum(1 for pod in pods if (why := explain_failure(pod)) and why.counts)
    failed = max(counted, int((observed.batch_job or {}).get("status", {}).get("failed", 0)))
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


def _has_ended(pod: Object) -> bool:
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
