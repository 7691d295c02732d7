"""Checks a FineTuneJob against the platform team's limits: what it may refer to, and how much it may use.

`REFERENCES` and `AMOUNTS` list which field each limit applies to. The chart's ValidatingAdmissionPolicy is
made from the same rows (tools/admission.py).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import Field

from finscribe_core.api.base import CpuQuantity, Int, KubeModel, Quantity, count_bytes, count_cpus
from finscribe_core.api.v1alpha1 import ActiveDeadline, FineTuneJob
from finscribe_core.constants import BUILT_IN_MODEL
from finscribe_core.texts import to_one_line

Patterns = Annotated[list[Annotated[str, Field(min_length=1, max_length=1024)]], Field(max_length=256)]
"""Texts in which `*` stands for any characters and `{namespace}` for the job's namespace."""
_MAX_SHOWN = 200


class Limits(KubeModel):
    """What a FineTuneJob may ask for. A list allows what matches one of its patterns, in which `*` stands for
    any characters and `{namespace}` for the job's namespace. Unset: no limit.
    """

    images: Patterns | None = None
    """Values of `image`, and images of volumes. Jobs without one use `trainerImage`."""
    buckets: Patterns | None = None
    """s3:// URIs of data sets, models and outputs, such as `s3://{namespace}-docs/*`."""
    models: Patterns | None = None
    """Values of `model.source` outside buckets: `hf://owner/name`, absolute paths in the image, and
    `finscribe/tiny-ocr-vl`."""
    endpoints: Patterns | None = None
    """Values of `storage.endpoint`."""
    service_accounts: Patterns | None = None
    """Values of `storage.serviceAccountName`."""
    secrets: Patterns | None = None
    """Secrets of storage, hub, experiment trackers, environment variables and volumes."""
    config_maps: Patterns | None = None
    """ConfigMaps of environment variables, volumes and certificates."""
    image_pull_secrets: Patterns | None = None
    """Names in `pod.imagePullSecrets`."""
    persistent_volume_claims: Patterns | None = None
    """Claims of caches and volumes."""
    priority_classes: Patterns | None = None
    """Values of `pod.priorityClassName`."""
    queues: Patterns | None = None
    """Values of `queueName`."""
    queue_priority_classes: Patterns | None = None
    """Values of `queuePriorityClass`."""
    runtime_classes: Patterns | None = None
    """Values of `pod.runtimeClassName`."""
    labels: Patterns | None = None
    """Names of labels in `pod.labels`."""
    annotations: Patterns | None = None
    """Names of annotations in `pod.annotations`."""
    node_selectors: Patterns | None = None
    """Names of node labels in `pod.nodeSelector` and `pod.affinity`."""
    topology_keys: Patterns | None = None
    """Names of node labels in required terms of `pod.affinity.podAntiAffinity`, by which a pod keeps those of
    others away from a place."""
    schedulers: Patterns | None = None
    """Values of `pod.schedulerName`."""
    env: Patterns | None = None
    """Names of environment variables in `pod.env`."""
    host_addresses: Patterns | None = None
    """IP addresses in `pod.hostAliases`, and of name servers in `pod.dnsConfig`."""
    tolerations: Patterns | None = None
    """Keys in `pod.tolerations`. A toleration without a key needs the pattern `*`."""
    gpu_resource_names: Patterns | None = None
    """Values of `resources.gpuResourceName`."""
    extended_resources: Patterns | None = None
    """Names in `resources.extended`."""
    gpus: Int | None = Field(None, ge=0)
    """Most GPUs of a job; of all its nodes together, like the next four."""
    gpus_per_namespace: Int | None = Field(None, ge=0)
    """Most GPUs of all active runs of a namespace together. A run that exceeds it waits until others end."""
    cpu: CpuQuantity | None = None
    """Most CPUs of a job."""
    memory: Quantity | None = None
    """Most memory of a job."""
    scratch: Quantity | None = None
    """Most local storage of a job."""
    active_deadline_seconds: ActiveDeadline | None = None
    """Largest `activeDeadlineSeconds` of a job. A job must then have one."""


@dataclass(frozen=True)
class Reference:
    """A field of the spec whose values must match a list of patterns."""

    limit: str
    """The field of `Limits` with the patterns."""
    path: str
    """Where the values are in the spec: `a.b`; `a[].b` is `b` of each item of a list, `a[]` the items
    themselves, `a{}` each key of a map."""
    beginning: str = ""
    """Regular expression; other values are not limited by this list."""
    is_folder: bool = False
    """Whether the values are prefixes of keys, with or without '/' at the end."""
    missing: str = ""
    """What an item is called that has no such field. It then counts as an empty text; else it is skipped."""

    @property
    def field(self) -> str:
        """The field to correct, for messages."""
        whole = self.path.partition("[")[0].partition("{")[0]
        return f"spec.{whole.removesuffix('.name')}"

    def find_values(self, spec: dict[str, Any]) -> list[str]:
        """The values in a spec as JSON."""
        found = list(_find(spec, self.path.split("[]")))
        texts = ["" if value is None and self.missing else value for value in found]
        texts = [value for value in texts if value is not None and re.match(self.beginning, value)]
        return [f"{value.removesuffix('/')}/" if self.is_folder else value for value in texts]


_REQUIRED_NODES = "pod.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED_NODES = "pod.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution"
_REQUIRED_PODS = "pod.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution"
REFERENCES = (
    Reference("images", "image"),
    Reference("images", "pod.volumes[].image.reference"),
    Reference("buckets", "dataset.train"),
    Reference("buckets", "dataset.validation"),
    Reference("buckets", "dataset.test"),
    Reference("buckets", "dataset.imageRoot", is_folder=True),
    Reference("buckets", "output.uri", is_folder=True),
    Reference("buckets", "model.source", beginning="s3://"),
    Reference("buckets", "model.adapter"),
    Reference("models", "model.source", beginning=f"hf://|oci://|/|{BUILT_IN_MODEL}"),
    Reference("endpoints", "storage.endpoint"),
    Reference("service_accounts", "storage.serviceAccountName"),
    Reference("secrets", "storage.credentialsSecretRef.name"),
    Reference("secrets", "model.tokenSecretRef.name"),
    Reference("secrets", "reporting.wandbSecretRef.name"),
    Reference("secrets", "pod.env[].valueFrom.secretKeyRef.name"),
    Reference("secrets", "pod.volumes[].secret.secretName"),
    Reference("config_maps", "pod.env[].valueFrom.configMapKeyRef.name"),
    Reference("config_maps", "pod.volumes[].configMap.name"),
    Reference("config_maps", "storage.caBundle.configMapName"),
    Reference("image_pull_secrets", "pod.imagePullSecrets[].name"),
    Reference("persistent_volume_claims", "featureCache.persistentVolumeClaim.name"),
    Reference("persistent_volume_claims", "cache.persistentVolumeClaim.name"),
    Reference("persistent_volume_claims", "pod.volumes[].persistentVolumeClaim.claimName"),
    Reference("priority_classes", "pod.priorityClassName"),
    Reference("queues", "queueName"),
    Reference("queue_priority_classes", "queuePriorityClass"),
    Reference("runtime_classes", "pod.runtimeClassName"),
    Reference("labels", "pod.labels{}"),
    Reference("annotations", "pod.annotations{}"),
    Reference("node_selectors", "pod.nodeSelector{}"),
    Reference("node_selectors", f"{_REQUIRED_NODES}.nodeSelectorTerms[].matchExpressions[].key"),
    Reference("node_selectors", f"{_PREFERRED_NODES}[].preference.matchExpressions[].key"),
    Reference("topology_keys", f"{_REQUIRED_PODS}[].topologyKey"),
    Reference("schedulers", "pod.schedulerName"),
    Reference("env", "pod.env[].name"),
    Reference("host_addresses", "pod.hostAliases[].ip"),
    Reference("host_addresses", "pod.dnsConfig.nameservers[]"),
    Reference("tolerations", "pod.tolerations[].key", missing="a toleration of every key"),
    Reference("gpu_resource_names", "resources.gpuResourceName"),
    Reference("extended_resources", "resources.extended{}"),
)
"""Which patterns limit which field. A limit may have several rows."""


@dataclass(frozen=True)
class Amount:
    """A field of the spec that has a maximum."""

    limit: str
    """The field of `Limits` with the maximum."""
    path: str
    """Where the amount is in the spec. An unset one is unlimited."""
    count: Callable[[Any], float]
    """The amount as a number."""

    @property
    def field(self) -> str:
        """The field to correct, for messages."""
        return f"spec.{self.path}"

    @property
    def is_per_node(self) -> bool:
        """Whether each of the job's pods has the amount."""
        return self.path.startswith("resources.")


AMOUNTS = (
    Amount("gpus", "resources.gpus", int),
    Amount("gpus_per_namespace", "resources.gpus", int),
    Amount("cpu", "resources.cpu", count_cpus),
    Amount("memory", "resources.memory", count_bytes),
    Amount("scratch", "resources.scratch", count_bytes),
    Amount("active_deadline_seconds", "activeDeadlineSeconds", int),
)
"""Which maximum limits which field."""
NODES = "resources.nodes"
"""Where the number of the job's pods is in the spec."""
UNSET = "unlimited"
"""What an unset amount is called in messages."""


def find_excesses(job: FineTuneJob, limits: Limits) -> list[str]:
    """What the job, completed with its defaults, asks for beyond the limits, as sentences that name the field
    and the limit.
    """
    spec = job.spec.to_kubernetes()
    return [*_references(spec, job.metadata.namespace, limits), *_amounts(spec, limits)]


def _references(spec: dict[str, Any], namespace: str, limits: Limits) -> Iterator[str]:
    for reference in REFERENCES:
        patterns = getattr(limits, reference.limit)
        if patterns is None:
            continue
        allowed = [pattern.replace("{namespace}", namespace) for pattern in patterns]
        for value in reference.find_values(spec):
            if not _is_allowed(value, allowed):
                limit = f"{name_of(reference.limit)} ({_shown(', '.join(allowed)) or 'none'})"
                asked = _shown(value) or reference.missing
                yield f"{reference.field}: {asked} is not allowed by the operator's limit {limit}."


def _is_allowed(value: str, patterns: Sequence[str]) -> bool:
    # A server may resolve `..` in a key, and a file system does so in a path: it leads out of a prefix.
    climbs = "/../" in f"/{value}/"
    return not climbs and any(fnmatchcase(value, _only_stars(pattern)) for pattern in patterns)


def _only_stars(pattern: str) -> str:
    """The pattern for fnmatch, in which `[` and `?` would have a meaning, too."""
    return pattern.replace("[", "[[]").replace("?", "[?]")


def _amounts(spec: dict[str, Any], limits: Limits) -> Iterator[str]:
    for amount in AMOUNTS:
        most, asked = getattr(limits, amount.limit), _at(spec, amount.path)
        nodes = (_at(spec, NODES) or 1) if amount.is_per_node else 1
        if most is not None and (asked is None or amount.count(asked) * nodes > amount.count(most)):
            shown = UNSET if asked is None else f"{asked} on each of {nodes} nodes" if nodes > 1 else asked
            limit = f"{name_of(amount.limit)} ({most})"
            yield f"{amount.field}: {shown} is more than the operator's limit {limit}."


def name_of(limit: str) -> str:
    """A limit's key in the operator's configuration."""
    return str(Limits.model_fields[limit].alias)


def _find(value: Any, parts: Sequence[str]) -> Iterator[Any]:
    """The values in nested lists; between them are dotted paths, possibly empty."""
    head, rest = parts[0].removeprefix("."), parts[1:]
    if rest:
        for item in _at(value, head) or []:
            yield from _find(item, rest)
    elif head.endswith("{}"):
        yield from _at(value, head[:-2]) or {}
    else:
        yield _at(value, head)


def _at(value: Any, path: str) -> Any:
    """The value at a dotted path; None when there is none."""
    for name in path.split(".") if path else ():
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _shown(text: str) -> str:
    return to_one_line(text, _MAX_SHOWN)
