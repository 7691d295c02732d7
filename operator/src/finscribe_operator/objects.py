"""Accessors for Kubernetes objects, which are plain JSON dictionaries here."""

from typing import Any, NamedTuple

from finscribe_core.constants import (
    KIND,
    LABEL_EXPERIMENT,
    LABEL_EXPERIMENT_OF,
    LABEL_JOB,
    LABEL_NODE_RANK,
    LABEL_RUN,
)

Object = dict[str, Any]
"""An object of the API, as JSON."""


class JobKey(NamedTuple):
    """Namespace and name of a FineTuneJob; what the work queue holds."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Ref(NamedTuple):
    """Identifies the object of a call."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str = ""
    """When set, the call applies to the object with this uid only, never to another one of that name."""

    @classmethod
    def of(cls, obj: Object) -> "Ref":
        """The reference to an object, its uid included if it has one."""
        meta = obj["metadata"]
        return cls(obj["apiVersion"], obj["kind"], namespace_of(obj), meta["name"], meta.get("uid", ""))

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


def namespace_of(obj: Object) -> str:
    """The object's namespace."""
    return str(obj["metadata"].get("namespace", "default"))


def key_of(job: Object) -> JobKey:
    """The key of a FineTuneJob."""
    return JobKey(namespace_of(job), job["metadata"]["name"])


def parent_key(child: Object) -> JobKey | None:
    """The key of the FineTuneJob that a child (also an experiment) belongs to by its label, or None."""
    name = label(child, LABEL_EXPERIMENT_OF if child["kind"] == KIND else LABEL_JOB)
    return JobKey(namespace_of(child), name) if name else None


def keys_of(obj: Object) -> list[JobKey]:
    """The FineTuneJobs that an object concerns: the one that it belongs to, and itself if it is one."""
    keys = [parent_key(obj), key_of(obj) if obj["kind"] == KIND else None]
    return [key for key in keys if key is not None]


def experiment_of(child: Object) -> str:
    """The experiment's name, from the label of its FineTuneJob; empty for other FineTuneJobs."""
    return label(child, LABEL_EXPERIMENT)


def run_of(child: Object) -> str:
    """The name of the run that a child belongs to, from its label; empty without one."""
    return label(child, LABEL_RUN)


def node_rank(pod: Object) -> int:
    """The pod's number among those of its run; 0 for the only one."""
    text = label(pod, LABEL_NODE_RANK)
    return int(text) if text.isdecimal() else 0


def label(obj: Object, name: str) -> str:
    """A label's value; empty when there is none."""
    return str((obj["metadata"].get("labels") or {}).get(name, ""))


def controller_uid(obj: Object) -> str:
    """The uid of the owner that controls the object; empty when nothing does."""
    for owner in obj["metadata"].get("ownerReferences") or []:
        if owner.get("controller"):
            return str(owner["uid"])
    return ""


def is_being_deleted(obj: Object) -> bool:
    """Whether the object has a deletion timestamp."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def has_ended(pod: Object) -> bool:
    """Whether a pod is known to have ended."""
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def is_starting(pod: Object) -> bool:
    """Whether a node is preparing the pod."""
    return pod.get("status", {}).get("phase") == "Pending" and bool(pod.get("spec", {}).get("nodeName"))


def is_node_silent(pod: Object) -> bool:
    """Whether the control plane says that the pod's node does not answer.

    It then sets a running pod's Ready to False, without a reason, which a kubelet always gives.
    """
    status = pod.get("status", {})
    if status.get("phase") == "Unknown":
        return True
    if status.get("phase") != "Running":
        return False
    ready = find_condition(pod, "Ready") or {}
    not_ready = ready.get("status") in ("False", "Unknown") and ready.get("reason", "") in ("", "NodeLost")
    return not_ready or status.get("reason") == "NodeLost"


def find_condition(obj: Object, type_: str) -> Object | None:
    """The object's condition of that type; None without it."""
    conditions = obj.get("status", {}).get("conditions") or []
    return next((dict(c) for c in conditions if c.get("type") == type_), None)


def true_condition(obj: Object, type_: str) -> Object | None:
    """The object's condition of that type if it is True, else None."""
    condition = find_condition(obj, type_)
    return condition if condition and condition.get("status") == "True" else None


def assigned_at(pod: Object) -> str:
    """When the pod got its node, by the API server's clock (RFC 3339)."""
    scheduled = true_condition(pod, "PodScheduled") or {}
    return str(scheduled.get("lastTransitionTime") or pod["metadata"]["creationTimestamp"])
