"""Explains why the Job controller could not create a run's pod, from its `FailedCreate` Events."""

import re
from collections.abc import Sequence

from finscribe_operator.objects import Object, has_ended, is_being_deleted, true_condition
from finscribe_operator.warning_events import WarningEvent

_PREFIX = re.compile(r'^(\(combined from similar events\): )?Error creating: (pods "[^"]*" is forbidden: )?')
"""What every message begins with."""
_POD_NAME = re.compile(r'^Pod "[^"]*"')
"""The name has a random suffix, another one in each message."""
_REMEDIES = (
    (
        "error looking up service account",
        "Create the ServiceAccount, or correct spec.storage.serviceAccountName.",
    ),
    ("no PriorityClass", "Create the PriorityClass, or correct spec.pod.priorityClassName."),
    ("RuntimeClass", "Create the RuntimeClass, or correct spec.pod.runtimeClassName."),
    (
        "exceeded quota",
        "The pod is created once the ResourceQuota has room: wait for other pods to end, raise the "
        "ResourceQuota, or lower spec.resources.",
    ),
    (
        "failed quota",
        "The ResourceQuota asks for what FinScribe's pods don't set: add a LimitRange with a default for it "
        "to the namespace, or remove it from the ResourceQuota.",
    ),
    (
        "violates PodSecurity",
        "Remove what the message names from spec.pod or from the admission webhook that adds it, or use a "
        "namespace with another Pod Security level.",
    ),
    ("per Container is", "Change spec.resources, or the namespace's LimitRange."),
    ("per Pod is", "Change spec.resources, or the namespace's LimitRange."),
    ("ValidatingAdmissionPolicy", "Change what the policy names in the FineTuneJob, or the policy."),
    ("failed calling webhook", "The admission webhook does not answer: check its Service and pods."),
    ("denied the request", "Change what the webhook names in the FineTuneJob, or the webhook."),
    ("is invalid", "Correct what the message names in spec.pod or spec.resources."),
)
"""Parts of the API server's messages, each with what to correct."""


def explain_creation_failure(event: WarningEvent) -> str:
    """The cause without the pod's name, and the remedy."""
    cause = _POD_NAME.sub("the pod", _PREFIX.sub("", event.message)).rstrip(".")
    remedy = next((text for part, text in _REMEDIES if part in cause), "")
    return f"{cause}. {remedy}".strip()


def is_current(event: WarningEvent, job: Object, newest_pod: Object | None) -> bool:
    """Whether no pod was created since the Event, nor the Job suspended; times are those of the API."""
    if newest_pod is not None:
        return event.time > str(newest_pod["metadata"]["creationTimestamp"])
    return event.time >= str(job.get("status", {}).get("startTime") or "")


def lacks_pod(job: Object, pods: Sequence[Object]) -> bool:
    """Whether the Job controller should create a pod for this Job, of which these are all pods."""
    if job.get("spec", {}).get("suspend") or is_being_deleted(job):
        return False
    if any(true_condition(job, type_) for type_ in ("Complete", "Failed", "FailureTarget")):
        return False
    return sum(not has_ended(pod) for pod in pods) < int(job.get("spec", {}).get("parallelism", 1))
