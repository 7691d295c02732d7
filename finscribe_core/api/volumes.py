"""Defines the volumes that a FineTuneJob adds to its run's pod, with the fields of a Kubernetes pod."""

from typing import Annotated, Literal

from pydantic import Field

from finscribe_core.api.base import DNS_LABEL, NO_SPACES, Bool, KubeModel, Name, Quantity, Rule, pattern
from finscribe_core.constants import (
    CA_DIR,
    CONFIG_DIR,
    DOWNLOAD_CACHE_DIR,
    FEATURE_CACHE_DIR,
    MODEL_DIR,
    OPERATOR_VOLUMES,
    WORK_DIR,
)

ImageName = Annotated[str, Field(pattern=NO_SPACES, max_length=1024)]
PullPolicy = Literal["Always", "IfNotPresent", "Never"]
VolumeName = Annotated[str, Field(pattern=DNS_LABEL, max_length=63)]
_SEGMENT = r"[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*"
RESERVED_PATHS = (
    *(WORK_DIR, CONFIG_DIR, CA_DIR, FEATURE_CACHE_DIR, DOWNLOAD_CACHE_DIR, MODEL_DIR),
    "/tmp",  # noqa: S108 - a mount path
    # The trainer's code, and the system that it runs on.
    *("/opt/finscribe", "/bin", "/lib", "/lib64", "/sbin", "/usr"),
    *("/dev", "/proc", "/sys", "/run/secrets", "/var/run/secrets"),
)
"""Paths at, below or above which nothing can be mounted."""


def _is_reserved(path: str) -> bool:
    return any(
        path == taken or path.startswith(f"{taken}/") or taken.startswith(f"{path}/")
        for taken in RESERVED_PATHS
    )


class ClaimVolume(KubeModel):
    """A PersistentVolumeClaim in the job's namespace."""

    claim_name: Name
    """Name of the claim."""


class ConfigMapVolume(KubeModel):
    """A ConfigMap in the job's namespace; each of its keys is a file."""

    name: Name
    """Name of the ConfigMap."""


class SecretVolume(KubeModel):
    """A Secret in the job's namespace; each of its keys is a file. Only the pod reads it."""

    secret_name: Name
    """Name of the Secret."""


class ImageVolume(KubeModel):
    """The files of an image; Kubernetes has image volumes by default from version 1.35 on."""

    reference: ImageName
    """The image, such as registry.example.org/models/paddleocr-vl:1.0."""
    pull_policy: PullPolicy | None = None
    """When the node pulls the image; Always for the tag latest, else IfNotPresent when unset."""


class EmptyDirVolume(KubeModel):
    """An empty folder that is deleted with the pod."""

    medium: Literal["Memory"] | None = None
    """`Memory` keeps it in memory, which counts towards resources.memory; otherwise it is on the node's disk
    and counts towards resources.scratch."""
    size_limit: Quantity
    """Its size limit."""


_SOURCES = ("persistentVolumeClaim", "configMap", "secret", "image", "emptyDir")


class Volume(KubeModel):
    """A volume of exactly one kind. There are none that give access to the node, such as hostPath."""

    name: VolumeName
    """Name, by which volumeMounts refer to it."""
    persistent_volume_claim: ClaimVolume | None = None
    """A PersistentVolumeClaim."""
    config_map: ConfigMapVolume | None = None
    """A ConfigMap."""
    secret: SecretVolume | None = None
    """A Secret."""
    image: ImageVolume | None = None
    """The files of an image."""
    empty_dir: EmptyDirVolume | None = None
    """An empty folder."""

    rules = (
        Rule(
            cel=f"[{', '.join(f'has(self.{source})' for source in _SOURCES)}].filter(g, g).size() == 1",
            check=lambda v: (
                sum(
                    source is not None
                    for source in (v.persistent_volume_claim, v.config_map, v.secret, v.image, v.empty_dir)
                )
                == 1
            ),
            message=f"pod.volumes need exactly one of {', '.join(_SOURCES)}",
        ),
        Rule(
            cel=f"!(self.name in {list(OPERATOR_VOLUMES)})",
            check=lambda v: v.name not in OPERATOR_VOLUMES,
            message=f"pod.volumes must not be named {', '.join(OPERATOR_VOLUMES)}: "
            "the pod has such volumes; choose another name",
        ),
    )


class VolumeMount(KubeModel):
    """Where a volume is mounted."""

    name: VolumeName
    """Name of a volume in pod.volumes."""
    mount_path: Annotated[
        str,
        Field(
            pattern=pattern(
                f"^(/{_SEGMENT})+$",
                "an absolute path without '.' and '..', such as /data; its parts have letters, digits, '-', "
                "'_' and '.'",
            ),
            max_length=256,
        ),
    ]
    """Absolute path in the container. Paths that the trainer itself uses can't be mounted over."""
    sub_path: (
        Annotated[
            str,
            Field(
                pattern=pattern(
                    f"^{_SEGMENT}(/{_SEGMENT})*$",
                    "a relative path without '.' and '..'; its parts have letters, digits, '-', '_' and '.'",
                ),
                max_length=256,
            ),
        ]
        | None
    ) = None
    """Path within the volume; its root when unset."""
    read_only: Bool | None = None
    """Whether the pod may only read; false when unset."""

    rules = (
        Rule(
            cel=f"{list(RESERVED_PATHS)}.all(p, self.mountPath != p && "
            "!self.mountPath.startsWith(p + '/') && !p.startsWith(self.mountPath + '/'))",
            check=lambda m: not _is_reserved(m.mount_path),
            message="pod.volumeMounts must not mount at, below or above a path that the trainer uses "
            f"({', '.join(RESERVED_PATHS)}); choose another path, such as /data",
        ),
    )
