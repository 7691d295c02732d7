"""Says what a pod waits for before its container runs, and what to correct."""

import re

from finscribe_core.api.conditions import Reason
from finscribe_core.api.v1alpha1 import FineTuneJobSpec
from finscribe_core.constants import OCI_SCHEME
from finscribe_operator.attempts import container_status
from finscribe_operator.objects import Object
from finscribe_operator.references import Reference, find_references
from finscribe_operator.warning_events import WarningEvent

_CHECK_IMAGE = "Check spec.image and spec.pod.imagePullSecrets."
_CANNOT_START = {
    "ErrImagePull": _CHECK_IMAGE,
    "ImagePullBackOff": _CHECK_IMAGE,
    "ErrImageNeverPull": "Load the image onto the node, correct spec.image, or set spec.pod.imagePullPolicy.",
    "InvalidImageName": "Correct spec.image.",
    "CreateContainerConfigError": "",
    "CreateContainerError": "",
    "RunContainerError": "",
}
"""The kubelet's reasons for a container that can't start, each with its remedy."""
_NO_RUNTIME = "no runtime for"
"""Part of the message of a node that lacks the handler of a RuntimeClass."""
_MISSING_KEY = re.compile(r"(?:find key|non-existent config key:|non-existent secret key:) (\S+)")
_OBJECT = re.compile(
    r'(secret|configmap|persistentvolumeclaim) (?:"([^"]+)"|[^\s/"]+/([^\s/"]+))', re.IGNORECASE
)
"""A kind and a name: `secret "NAME"` or `Secret NAMESPACE/NAME`."""
_PLACEMENT = (
    ("didn't match Pod's node affinity/selector", "nodeSelector or affinity.nodeAffinity"),
    ("didn't match pod affinity rules", "affinity.podAffinity"),
    ("didn't match pod anti-affinity rules", "affinity.podAntiAffinity"),
    ("didn't match pod topology spread constraints", "topologySpreadConstraints"),
)
"""Parts of the scheduler's messages, each with the fields of spec.pod that ask for it."""


def explain_waiting(
    pod: Object, spec: FineTuneJobSpec, warning: WarningEvent | None = None
) -> tuple[Reason, str]:
    """Reason and message of the Running condition for a pod that is pending.

    Args:
        pod: The pod.
        spec: The job's spec.
        warning: The newest Event about the pod, if it has been looked up.
    """
    for condition in pod.get("status", {}).get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return _explain_unscheduled(condition, spec)
    node = pod.get("spec", {}).get("nodeName")
    if not node:
        return Reason.Pending, _explain_unplaced(spec)
    waiting = container_status(pod).get("state", {}).get("waiting") or {}
    reason = waiting.get("reason", "")
    if reason in _CANNOT_START:
        text = str(waiting.get("message", "")).rstrip(".")
        remedy = _find_image(text, spec) or _CANNOT_START[reason] or _find_object(text, spec)
        remedy = remedy or _find_runtime(reason, spec)
        return Reason.ContainerCannotStart, f"{reason}: {text}. {remedy}".strip()
    creating = "The node is pulling the image or mounting volumes."
    return Reason.ContainerCreating, f"{creating} {_quote(warning, spec)}" if warning else creating


def _quote(warning: WarningEvent, spec: FineTuneJobSpec) -> str:
    """The Event, which may be past: a node tries again, and it may pull the image meanwhile."""
    remedy = _find_object(warning.message, spec)
    if _NO_RUNTIME in warning.message:
        remedy = "Choose nodes that have this runtime, or correct spec.pod.runtimeClassName."
    text = f"Its last warning: {warning.reason}: {warning.message.strip().rstrip('.')}. {remedy}"
    return text.strip()


def _explain_unplaced(spec: FineTuneJobSpec) -> str:
    """A scheduler that does not exist says nothing: its name is the only hint."""
    name = spec.pod.scheduler_name
    return f"Waiting for the scheduler{f' {name} (spec.pod.schedulerName)' if name else ''} to find a node."


def _explain_unscheduled(condition: Object, spec: FineTuneJobSpec) -> tuple[Reason, str]:
    message = condition.get("message", "")
    if condition.get("reason") == "SchedulingGated":
        return Reason.Pending, f"Another controller has not released the pod to the scheduler: {message}"
    fields = [f"spec.pod.{field}" for part, field in _PLACEMENT if part in message]
    remedies = [_find_object(message, spec), f"Check {', '.join(fields)}." if fields else ""]
    return Reason.Unschedulable, " ".join([f"No node fits: {message}", *filter(None, remedies)])


def _find_image(message: str, spec: FineTuneJobSpec) -> str:
    """What to correct about the image of a volume that a message names; empty when it names none."""
    source = spec.model.source
    if source.startswith(OCI_SCHEME) and source.removeprefix(OCI_SCHEME) in message:
        return "Check spec.model.source and spec.pod.imagePullSecrets."
    for number, volume in enumerate(spec.pod.volumes or []):
        if volume.image and volume.image.reference in message:
            return f"Check spec.pod.volumes[{number}].image and spec.pod.imagePullSecrets."
    return ""


def _find_runtime(reason: str, spec: FineTuneJobSpec) -> str:
    """What a node may lack that can't create a container; empty when the pod mounts no image."""
    is_model = spec.model.source.startswith(OCI_SCHEME)
    if reason != "CreateContainerError" or not (is_model or any(v.image for v in spec.pod.volumes or [])):
        return ""
    field = "spec.model.source" if is_model else "spec.pod.volumes"
    return (
        f"If the node can't mount the image that {field} names, its container runtime is too old: image "
        "volumes need containerd 2.1 or later, for example."
    )


def _find_object(message: str, spec: FineTuneJobSpec) -> str:
    """What to correct about the object or volume that a message names; empty when it names none.

    A kubelet says `secret "NAME" not found`, `couldn't find key KEY in ConfigMap NAMESPACE/NAME`, or `failed
    for volume "NAME"`; a scheduler says `persistentvolumeclaim "NAME" not found`.
    """
    found = [reference for reference in find_references(spec) if _is_named(reference, message)]
    missing_key = _MISSING_KEY.search(message)
    if missing_key:
        found = [reference for reference in found if missing_key[1] in reference.keys]
    if not found:
        return "Create the Secret, or add its missing key." if "secret" in message.lower() else ""
    kind, fields = found[0].kind, " and ".join(reference.field for reference in found)
    if missing_key:
        what = f"Add the key {missing_key[1]} to"
    else:
        what = "Create" if "not found" in message else "Check"
    return f"{what} the {kind} that {fields} names, or correct the field."


def _is_named(reference: Reference, message: str) -> bool:
    """Whether the message has the name of the object, with its kind, or that of its volume."""
    objects = {(kind.lower(), name or other) for kind, name, other in _OBJECT.findall(message)}
    is_object = (reference.kind.lower(), reference.name) in objects
    is_unbound = reference.kind == "PersistentVolumeClaim" and "unbound immediate" in message
    return is_object or is_unbound or bool(reference.volume and f'volume "{reference.volume}"' in message)
