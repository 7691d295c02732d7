"""Defines what a FineTuneJob may set of its run's pod: resources, metadata and scheduling."""

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic.alias_generators import to_camel

from finscribe_core.api.base import (
    MAX_SECONDS,
    CpuQuantity,
    Int,
    KubeModel,
    LabelName,
    Labels,
    LabelValue,
    Name,
    Quantity,
    Rule,
    cel_value,
    key_name_rule,
    pattern,
)
from finscribe_core.api.environment import EnvVar
from finscribe_core.api.network import DnsConfig, HostAlias
from finscribe_core.api.references import SecretReference
from finscribe_core.api.scheduling import Affinity, TopologySpreadConstraint
from finscribe_core.api.volumes import PullPolicy, Volume, VolumeMount
from finscribe_core.constants import GROUP

_RESOURCE = pattern(
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/"
    r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$",
    "an extended resource such as nvidia.com/gpu",
)
_RESERVED_RESOURCE = r"^((.*\.)?kubernetes\.io/|requests\.)"


class PodResourcesSpec(KubeModel):
    """Resource requests and limits of the run's pod that do not affect what is learned."""

    gpu_resource_name: Annotated[str, Field(pattern=_RESOURCE, max_length=253)] = "nvidia.com/gpu"
    """Name of the extended resource that GPUs are requested by."""
    cpu: CpuQuantity = "4"
    """CPU request; also, rounded up, the number of threads over all the trainer's processes."""
    memory: Quantity = "16Gi"
    """Memory request and limit."""
    scratch: Quantity = "50Gi"
    """Size limit of the pod's scratch volume, which holds dataset, model, checkpoints and exports; also
    request and limit of the pod's local storage, to which /tmp (at most 4Gi) and its log count."""
    extended: Annotated[dict[str, Annotated[Int, Field(ge=1, le=1_000_000)]], Field(max_length=16)] = {}
    """Other extended resources of the pod, with their numbers, such as `rdma/hca: 1`; requests and limits."""

    merges_entries = True
    rules = (
        Rule(
            cel=f"!has(self.gpuResourceName) || !self.gpuResourceName.matches(r'{_RESERVED_RESOURCE}')",
            check=lambda r: not re.match(_RESERVED_RESOURCE, r.gpu_resource_name),
            message="resources.gpuResourceName must be the extended resource of a device plugin, such as "
            "nvidia.com/gpu: kubernetes.io is reserved",
        ),
        Rule(
            cel="!has(self.extended) || self.extended.all(k, k.size() <= 253 && "
            f"k.matches(r'{_RESOURCE}') && !k.matches(r'{_RESERVED_RESOURCE}'))",
            check=lambda r: all(
                len(key) <= 253 and re.fullmatch(_RESOURCE, key) and not re.match(_RESERVED_RESOURCE, key)
                for key in r.extended
            ),
            message="resources.extended must have names of extended resources as keys, such as rdma/hca: a "
            "domain, '/' and a name; kubernetes.io is reserved",
        ),
        Rule(
            cel="!has(self.extended) || "
            f"!({cel_value('gpuResourceName', 'nvidia.com/gpu')} in self.extended)",
            check=lambda r: r.gpu_resource_name not in r.extended,
            message="resources.extended must not have the resource of GPUs; set resources.gpus",
        ),
    )


class ResourcesSpec(PodResourcesSpec):
    """Resource requests and limits of each of the run's pods."""

    gpus: Int = Field(1, ge=0, le=16)
    """GPUs of the pod. The trainer starts one process per GPU (data parallel), each with its own batch.
    0 trains on the CPU. Another number starts a new run, unless `training.effectiveBatchSize` is set."""
    nodes: Int | None = Field(None, ge=1, le=10)
    """Number of pods that train together, each with these resources; 1 when unset. For
    trainings for which the GPUs of one node do not suffice. A change has the effect of one of `gpus`."""

    @field_validator("nodes")
    @classmethod
    def _one_is_the_default(cls, nodes: int | None) -> int | None:
        """So that to write the default starts no new run."""
        return None if nodes == 1 else nodes

    @property
    def num_nodes(self) -> int:
        """Number of pods."""
        return self.nodes or 1

    @property
    def total_gpus(self) -> int:
        """GPUs of all pods together."""
        return self.gpus * self.num_nodes

    @property
    def num_processes(self) -> int:
        """Processes of the trainer in all pods: one for each GPU, or one a pod on the CPU."""
        return max(self.gpus, 1) * self.num_nodes


class Toleration(KubeModel):
    """A taint the pod tolerates, as in a pod's spec."""

    key: LabelName | None = None
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


def _is_reserved_label(key: str) -> bool:
    return key.startswith((f"{GROUP}/", "batch.kubernetes.io/")) or key in ("job-name", "controller-uid")


def _unique_rule(field: str, key: str, message: str) -> Rule:
    """The rule that no two items of a list have the same value of a field."""
    items, value = to_camel(field), to_camel(key)
    return Rule(
        cel=f"!has(self.{items}) || "
        f"self.{items}.all(i, self.{items}.filter(j, j.{value} == i.{value}).size() == 1)",
        check=lambda model: (
            len({getattr(item, key) for item in getattr(model, field) or ()})
            == len(getattr(model, field) or ())
        ),
        message=message,
    )


def _volumes(pod: "PodSpec") -> set[str]:
    return {volume.name for volume in pod.volumes or ()}


def _mounted(pod: "PodSpec") -> set[str]:
    return {mount.name for mount in pod.volume_mounts or ()}


class PodSpec(KubeModel):
    """Metadata, scheduling, environment and volumes of the run's pod.

    Fields that later versions have added default to null: the hash of a job that does not set them stays the
    same.
    """

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
    image_pull_policy: PullPolicy | None = None
    """When the node pulls the trainer image; the operator's setting when unset."""
    affinity: Affinity | None = None
    """Rules that tie the pod to nodes or to other pods."""
    topology_spread_constraints: Annotated[list[TopologySpreadConstraint], Field(max_length=8)] | None = None
    """How evenly pods are spread over nodes or zones."""
    scheduler_name: Name | None = None
    """The scheduler that places the pod; that of the cluster when unset."""
    env: Annotated[list[EnvVar], Field(max_length=64)] | None = None
    """Environment variables of the trainer, such as HTTPS_PROXY, HF_ENDPOINT, HF_TOKEN or NCCL_DEBUG."""
    volumes: Annotated[list[Volume], Field(max_length=16)] | None = None
    """Volumes of the pod besides the operator's own."""
    volume_mounts: Annotated[list[VolumeMount], Field(max_length=32)] | None = None
    """Where they are mounted."""
    host_aliases: Annotated[list[HostAlias], Field(max_length=16)] | None = None
    """Entries of /etc/hosts."""
    dns_policy: Literal["ClusterFirst", "Default", "None"] | None = None
    """Name servers of the pod: the cluster's (ClusterFirst, when unset), the node's (Default), or only those
    of dnsConfig (None)."""
    dns_config: DnsConfig | None = None
    """What is added to /etc/resolv.conf."""
    termination_grace_period_seconds: Int | None = Field(None, ge=1, le=3600)
    """Seconds that the trainer has to finish its step and to upload a checkpoint before it is killed; 120
    when unset. A preemptible node may give less."""

    merges_entries = True
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
        _unique_rule("env", "name", "pod.env must not repeat a name"),
        _unique_rule("volumes", "name", "pod.volumes must not repeat a name"),
        _unique_rule("volume_mounts", "mount_path", "pod.volumeMounts must not repeat a mountPath"),
        Rule(
            cel="!has(self.volumeMounts) || "
            "self.volumeMounts.all(m, has(self.volumes) && self.volumes.exists(v, v.name == m.name))",
            check=lambda p: _mounted(p) <= _volumes(p),
            message="pod.volumeMounts must name volumes of pod.volumes",
        ),
        Rule(
            cel="!has(self.volumes) || "
            "self.volumes.all(v, has(self.volumeMounts) && self.volumeMounts.exists(m, m.name == v.name))",
            check=lambda p: _volumes(p) <= _mounted(p),
            message="pod.volumes must each be mounted: add it to pod.volumeMounts, or remove it",
        ),
        Rule(
            cel="!has(self.topologySpreadConstraints) || self.topologySpreadConstraints.all(c, "
            "self.topologySpreadConstraints.filter(d, d.topologyKey == c.topologyKey && "
            "d.whenUnsatisfiable == c.whenUnsatisfiable).size() == 1)",
            check=lambda p: (
                len({(c.topology_key, c.when_unsatisfiable) for c in p.topology_spread_constraints or ()})
                == len(p.topology_spread_constraints or ())
            ),
            message="pod.topologySpreadConstraints must not repeat a topologyKey with the same "
            "whenUnsatisfiable",
        ),
        Rule(
            cel="!has(self.dnsPolicy) || self.dnsPolicy != 'None' || "
            "(has(self.dnsConfig) && has(self.dnsConfig.nameservers) && "
            "self.dnsConfig.nameservers.size() > 0)",
            check=lambda p: (
                p.dns_policy != "None" or bool(p.dns_config is not None and p.dns_config.nameservers)
            ),
            message="pod.dnsPolicy None needs pod.dnsConfig.nameservers",
        ),
    )
