"""Defines the references of a FineTuneJob to other objects of its namespace."""

from finscribe_core.api.base import KubeModel, Name


class SecretReference(KubeModel):
    """A Secret in the job's namespace."""

    name: Name
    """Name of the Secret."""


class ClaimReference(KubeModel):
    """A PersistentVolumeClaim in the job's namespace."""

    name: Name
    """Name of the claim."""
