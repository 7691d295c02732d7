"""Checks a FineTuneJob against the platform team's limits: what it may refer to, and how much it may use."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import Field

from finscribe_core.api.base import CpuQuantity, Int, KubeModel, Quantity, count_bytes, count_cpus
from finscribe_core.api.v1alpha1 import FineTuneJob, FineTuneJobSpec
from finscribe_core.texts import to_one_line

Patterns = Annotated[list[Annotated[str, Field(min_length=1, max_length=1024)]], Field(max_length=256)]
"""Texts in which `*` stands for any characters and `{namespace}` for the job's namespace."""
_MAX_SHOWN = 200


class Limits(KubeModel):
    """What a FineTuneJob may ask for. A list allows what matches one of its patterns, in which `*` stands for
    any characters and `{namespace}` for the job's namespace. Unset: no limit.
    """

    images: Patterns | None = None
    """Values of `image`. Jobs without one use `trainerImage`."""
    buckets: Patterns | None = None
    """s3:// URIs of data sets, models and outputs, such as `s3://{namespace}-docs/*`."""
    endpoints: Patterns | None = None
    """Values of `storage.endpoint`."""
    service_accounts: Patterns | None = None
    """Values of `storage.serviceAccountName`."""
    secrets: Patterns | None = None
    """Secrets with credentials of storage and experiment trackers."""
    image_pull_secrets: Patterns | None = None
    """Names in `pod.imagePullSecrets`."""
    persistent_volume_claims: Patterns | None = None
    """Claims of feature caches."""
    priority_classes: Patterns | None = None
    """Values of `pod.priorityClassName`."""
    runtime_classes: Patterns | None = None
    """Values of `pod.runtimeClassName`."""
    labels: Patterns | None = None
    """Names of labels in `pod.labels`."""
    annotations: Patterns | None = None
    """Names of annotations in `pod.annotations`."""
    node_selectors: Patterns | None = None
    """Names of node labels in `pod.nodeSelector`."""
    tolerations: Patterns | None = None
    """Keys in `pod.tolerations`. A toleration without a key needs the pattern `*`."""
    gpu_resource_names: Patterns | None = None
    """Values of `resources.gpuResourceName`."""
    gpus: Int | None = Field(None, ge=0)
    """Most GPUs of a job."""
    cpu: CpuQuantity | None = None
    """Most CPUs of a job."""
    memory: Quantity | None = None
    """Most memory of a job."""
    scratch: Quantity | None = None
    """Most local storage of a job."""


@dataclass(frozen=True)
class _Reference:
    """Values of a spec that one list of patterns limits."""

    limit: str
    path: str
    values: Callable[[FineTuneJobSpec], list[str | None]]


_REFERENCES = (
    _Reference("images", "image", lambda s: [s.image]),
    _Reference("buckets", "dataset.train", lambda s: [s.dataset.train]),
    _Reference("buckets", "dataset.validation", lambda s: [s.dataset.validation]),
    _Reference("buckets", "dataset.test", lambda s: [s.dataset.test]),
    _Reference("buckets", "output.uri", lambda s: [f"{s.output.uri.rstrip('/')}/"]),
    _Reference(
        "buckets", "model.source", lambda s: [s.model.source if s.model.source.startswith("s3://") else None]
    ),
    _Reference("endpoints", "storage.endpoint", lambda s: [s.storage.endpoint]),
    _Reference("service_accounts", "storage.serviceAccountName", lambda s: [s.storage.service_account_name]),
    _Reference("secrets", "storage.credentialsSecretRef", lambda s: _names(s.storage.credentials_secret_ref)),
    _Reference("secrets", "reporting.wandbSecretRef", lambda s: _names(s.reporting.wandb_secret_ref)),
    _Reference("image_pull_secrets", "pod.imagePullSecrets", lambda s: _names(*s.pod.image_pull_secrets)),
    _Reference(
        "persistent_volume_claims",
        "featureCache.persistentVolumeClaim",
        lambda s: _names(s.feature_cache.persistent_volume_claim),
    ),
    _Reference("priority_classes", "pod.priorityClassName", lambda s: [s.pod.priority_class_name]),
    _Reference("runtime_classes", "pod.runtimeClassName", lambda s: [s.pod.runtime_class_name]),
    _Reference("labels", "pod.labels", lambda s: list(s.pod.labels)),
    _Reference("annotations", "pod.annotations", lambda s: list(s.pod.annotations)),
    _Reference("node_selectors", "pod.nodeSelector", lambda s: list(s.pod.node_selector)),
    _Reference("tolerations", "pod.tolerations", lambda s: [t.key or "" for t in s.pod.tolerations]),
    _Reference(
        "gpu_resource_names",
        "resources.gpuResourceName",
        lambda s: [s.resources.gpu_resource_name if s.resources.gpus else None],
    ),
)


def find_excesses(job: FineTuneJob, limits: Limits) -> list[str]:
    """What the job asks for beyond the limits, as sentences that name the field and the limit."""
    return [*_references(job, limits), *_amounts(job.spec, limits)]


def _references(job: FineTuneJob, limits: Limits) -> Iterator[str]:
    for reference in _REFERENCES:
        patterns = getattr(limits, reference.limit)
        if patterns is None:
            continue
        allowed = [pattern.replace("{namespace}", job.metadata.namespace) for pattern in patterns]
        for value in reference.values(job.spec):
            if value is not None and not _is_allowed(value, allowed):
                name = Limits.model_fields[reference.limit].alias
                limit = f"{name} ({_shown(', '.join(allowed)) or 'none'})"
                asked = _shown(value) or "a toleration of every key"
                yield f"spec.{reference.path}: {asked} is not allowed by the operator's limit {limit}."


def _is_allowed(value: str, allowed: list[str]) -> bool:
    # A server may resolve `..` in a key, which would lead out of an allowed prefix.
    climbs = value.startswith("s3://") and ".." in value.split("/")
    return not climbs and any(fnmatchcase(value, pattern) for pattern in allowed)


def _amounts(spec: FineTuneJobSpec, limits: Limits) -> Iterator[str]:
    asked = spec.resources
    if limits.gpus is not None and asked.gpus > limits.gpus:
        yield _too_much("gpus", asked.gpus, limits.gpus)
    if limits.cpu is not None and count_cpus(asked.cpu) > count_cpus(limits.cpu):
        yield _too_much("cpu", asked.cpu, limits.cpu)
    if limits.memory is not None and count_bytes(asked.memory) > count_bytes(limits.memory):
        yield _too_much("memory", asked.memory, limits.memory)
    if limits.scratch is not None and count_bytes(asked.scratch) > count_bytes(limits.scratch):
        yield _too_much("scratch", asked.scratch, limits.scratch)


def _too_much(name: str, asked: object, limit: object) -> str:
    return f"spec.resources.{name}: {asked} is more than the operator's limit {name} ({limit})."


def _names(*references: object) -> list[str | None]:
    return [getattr(reference, "name", None) for reference in references]


def _shown(text: str) -> str:
    return to_one_line(text, _MAX_SHOWN)
