"""Says what a pod waits for before its container runs, and what to correct."""

from collections.abc import Sequence

from finscribe_core.api.conditions import Reason
from finscribe_core.api.references import SecretReference
from finscribe_core.api.v1alpha1 import FineTuneJobSpec
from finscribe_core.constants import (
    HUB_KEYS_REQUIRED,
    OCI_SCHEME,
    SECRET_KEYS_OPTIONAL,
    SECRET_KEYS_REQUIRED,
    WANDB_KEYS_OPTIONAL,
    WANDB_KEYS_REQUIRED,
)
from finscribe_operator.attempts import container_status
from finscribe_operator.objects import Object
from finscribe_operator.warning_events import WarningEvent

_CHECK_IMAGE = "Check spec.image and spec.pod.imagePullSecrets."
_CANNOT_START = {
    "ErrImagePull": _CHECK_IMAGE,
    "ImagePullBackOff": _CHECK_IMAGE,
    "ErrImageNeverPull": "Load the image onto the node, or change the operator's imagePullPolicy.",
    "InvalidImageName": "Correct spec.image.",
    "CreateContainerConfigError": "",
    "CreateContainerError": "",
    "RunContainerError": "",
}
"""The kubelet's reasons for a container that can't start, each with its remedy."""
_EVENT_REMEDIES = (
    ("no runtime for", "Choose nodes that have this runtime, or correct spec.pod.runtimeClassName."),
    ('volume "features"', "Check the claim that spec.featureCache.persistentVolumeClaim names."),
    ('volume "downloads"', "Check the claim that spec.cache.persistentVolumeClaim names."),
)
"""Parts of messages of Events about pods, each with what to correct."""


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
            return _explain_unscheduled(condition)
    node = pod.get("spec", {}).get("nodeName")
    if not node:
        return Reason.Pending, "Waiting for the scheduler to find a node."
    waiting = container_status(pod).get("state", {}).get("waiting") or {}
    reason = waiting.get("reason", "")
    if reason in _CANNOT_START:
        text = str(waiting.get("message", "")).rstrip(".")
        remedy = _CANNOT_START[reason] or _find_secret(text, spec)
        source = spec.model.source
        if remedy == _CHECK_IMAGE and source.startswith(OCI_SCHEME) and source[len(OCI_SCHEME) :] in text:
            remedy = "Check spec.model.source and spec.pod.imagePullSecrets."
        return Reason.ContainerCannotStart, f"{reason}: {text}. {remedy}".strip()
    creating = "The node is pulling the image or mounting volumes."
    return Reason.ContainerCreating, f"{creating} {_quote(warning)}" if warning else creating


def _quote(warning: WarningEvent) -> str:
    """The Event, which may be past: a node tries again, and it may pull the image meanwhile."""
    remedy = next((text for part, text in _EVENT_REMEDIES if part in warning.message), "")
    text = f"Its last warning: {warning.reason}: {warning.message.strip().rstrip('.')}. {remedy}"
    return text.strip()


def _explain_unscheduled(condition: Object) -> tuple[Reason, str]:
    message = condition.get("message", "")
    if condition.get("reason") == "SchedulingGated":
        return Reason.Pending, f"Another controller has not released the pod to the scheduler: {message}"
    return Reason.Unschedulable, f"No node fits: {message}"


def _find_secret(message: str, spec: FineTuneJobSpec) -> str:
    """What to correct about the Secret that the kubelet's message names; empty when it names none.

    It says `secret "NAME" not found` or `couldn't find key KEY in Secret NAMESPACE/NAME`.
    """
    if "secret" not in message.lower():
        return ""
    key = next((word for word in message.split() if word in _KEYS), "")
    fields = [
        f"spec.{field}"
        for field, secret, keys in _secrets(spec)
        if secret is not None and _names(message, secret.name) and (not key or key in keys)
    ]
    if not fields:
        return "Create the Secret, or add its missing key."
    what = f"Add the key {key} to the Secret" if key else "Create the Secret"
    return f"{what} that {' and '.join(fields)} names, or correct the field."


def _secrets(spec: FineTuneJobSpec) -> Sequence[tuple[str, SecretReference | None, Sequence[str]]]:
    """Fields that name a Secret, with the keys that the pod takes from it."""
    return (
        (
            "storage.credentialsSecretRef",
            spec.storage.credentials_secret_ref,
            (*SECRET_KEYS_REQUIRED, *SECRET_KEYS_OPTIONAL),
        ),
        ("model.tokenSecretRef", spec.model.token_secret_ref, HUB_KEYS_REQUIRED),
        (
            "reporting.wandbSecretRef",
            spec.reporting.wandb_secret_ref,
            (*WANDB_KEYS_REQUIRED, *WANDB_KEYS_OPTIONAL),
        ),
    )


_KEYS = (
    *(*SECRET_KEYS_REQUIRED, *SECRET_KEYS_OPTIONAL),
    *(*HUB_KEYS_REQUIRED, *WANDB_KEYS_REQUIRED, *WANDB_KEYS_OPTIONAL),
)


def _names(message: str, name: str) -> bool:
    """Whether the message has the name as a word of its own."""
    return name in message.replace('"', " ").replace("/", " ").split()
