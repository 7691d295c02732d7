"""Defines what a FineTuneJob may set of its run's pod: resources, metadata and scheduling."""

import re
from typing import Annotated, Literal

from pydantic import Field

from finscribe_core.api.base import (
    MAX_SECONDS,
    QUALIFIED_NAME,
    QUALIFIED_NAME_LIMIT,
    CpuQuantity,
    Int,
    KubeModel,
    LabelValue,
    Name,
    Quantity,
    Rule,
    cel_value,
    key_name_rule,
    pattern,
)
from finscribe_core.api.references import SecretReference
from finscribe_core.constants import GROUP


class ResourcesSpec(KubeModel):
    """Resource requests and limits of the run's pod."""

    gpus: Int = Field(1, ge=0, le=16)
    """GPUs of the pod. The trainer starts one process per GPU (data parallel), each with its own batch.
    0 trains on the CPU."""
    gpu_resource_name: Annotated[
        str,
        Field(
            pattern=pattern(
                r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/"
                r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$",
                "an extended resource such as nvidia.com/gpu",
            ),
            max_length=253,
        ),
    ] = "nvidia.com/gpu"
    """Name of the extended resource that GPUs are requested by."""
    cpu: CpuQuantity = "4"
    """CPU request; also, rounded up, the number of threads over all the trainer's processes."""
    memory: Quantity = "16Gi"
    """Memory request and limit."""
    scratch: Quantity = "50Gi"
    """Size limit of the pod's scratch volume, which holds dataset, model, checkpoints and exports; also
    request and limit of the pod's local storage, to which /tmp (at most 4Gi) and its log count."""

    rules = (
        Rule(
            cel=r"!has(self.gpuResourceName) || "
            r"!self.gpuResourceName.matches(r'^((.*\.)?kubernetes\.io/|requests\.)')",
            check=lambda r: not re.match(r"(.*\.)?kubernetes\.io/|requests\.", r.gpu_resource_name),
            message="resources.gpuResourceName must be the extended resource of a device plugin, such as "
            "nvidia.com/gpu: kubernetes.io is reserved",
        ),
    )


class Toleration(KubeModel):
    """A taint the pod tolerates, as in a pod's spec."""

    key: Annotated[str, Field(pattern=QUALIFIED_NAME, max_length=QUALIFIED_NAME_LIMIT)] | None = None
    """Taint key; all keys when unset."""
    operator: Literal["Exists", "Equal"] = "Equal"
    """How the value is compared."""
    value: LabelValue | None = None
    """Taint value."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Taint effect; all effects when unset."""
    toleration_seconds: Int | None = Field(None, ge=0, le=MAX_SECONDS)
    """How long a NoExecute taint is tolerated."""

    rules = (
        Rule(
            cel=f"has(self.key) || {cel_value('operator', 'Equal')} == 'Exists'",
            check=lambda t: t.key is not None or t.operator == "Exists",
            message="pod.tolerations without a key need the operator Exists",
        ),
        Rule(
            cel=f"!has(self.value) || self.value == '' || {cel_value('operator', 'Equal')} == 'Equal'",
            check=lambda t: not t.value or t.operator == "Equal",
            message="pod.tolerations with the operator Exists must have no value",
        ),
        Rule(
            cel="!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            check=lambda t: t.toleration_seconds is None or t.effect == "NoExecute",
            message="pod.tolerations with tolerationSeconds need the effect NoExecute",
        ),
    )


Labels = Annotated[dict[str, LabelValue], Field(max_length=32)]
"""Names and values of labels."""


def _is_reserved_label(key: str) -> bool:
    return key.startswith((f"{GROUP}/", "batch.kubernetes.io/")) or key in ("job-name", "controller-uid")


class PodSpec(KubeModel):
    """Metadata and scheduling of the run's pod."""

    labels: Labels = {}
    """Extra labels."""
    annotations: Annotated[dict[str, Annotated[str, Field(max_length=4096)]], Field(max_length=32)] = {}
    """Extra annotations."""
    node_selector: Labels = {}
    """Labels a node must have."""
    tolerations: Annotated[list[Toleration], Field(max_length=64)] = []
    """Taints the pod tolerates."""
    priority_class_name: Name | None = None
    """PriorityClass of the pod."""
    runtime_class_name: Name | None = None
    """RuntimeClass of the pod."""
    image_pull_secrets: Annotated[list[SecretReference], Field(max_length=16)] = []
    """Secrets to pull the image with."""

    rules = (
        Rule(
            cel=f"!has(self.labels) || self.labels.all(k, !k.startsWith('{GROUP}/') && "
            "!k.startsWith('batch.kubernetes.io/') && !(k in ['job-name', 'controller-uid']))",
            check=lambda p: not any(_is_reserved_label(key) for key in p.labels),
            message=f"pod.labels must not begin with {GROUP}/ or batch.kubernetes.io/, nor be job-name or "
            "controller-uid: the pods are selected by those labels",
        ),
        key_name_rule("labels", "pod.labels", "labels"),
        key_name_rule("annotations", "pod.annotations", "annotations"),
        key_name_rule("node_selector", "pod.nodeSelector", "labels"),
    )
