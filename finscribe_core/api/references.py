"""Defines the references of a FineTuneJob to other objects of its namespace."""

from typing import Annotated

from pydantic import Field

from finscribe_core.api.base import KubeModel, Name, pattern

Key = Annotated[
    str,
    Field(
        pattern=pattern(
            r"^\.?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$",
            "a key of a ConfigMap or Secret: letters, digits, '-', '_' and '.'",
        ),
        max_length=253,
    ),
]


class SecretReference(KubeModel):
    """A Secret in the job's namespace."""

    name: Name
    """Name of the Secret."""


class ClaimReference(KubeModel):
    """A PersistentVolumeClaim in the job's namespace."""

    name: Name
    """Name of the claim."""


class KeyReference(KubeModel):
    """A key of a ConfigMap or Secret in the job's namespace."""

    name: Name
    """Name of the object."""
    key: Key
    """The key."""
    optional: bool | None = None
    """Whether the pod starts without it; false when unset."""


class CaBundle(KubeModel):
    """Certificates of a ConfigMap in the job's namespace."""

    config_map_name: Name
    """Name of the ConfigMap."""
    key: Key = "ca.crt"
    """Key of the certificates, in PEM format."""
