"""Lists the Secrets, ConfigMaps and claims that a job's pod needs, with the fields that name them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from finscribe_core.api.v1alpha1 import FineTuneJobSpec
from finscribe_core.constants import (
    HUB_KEYS_REQUIRED,
    SECRET_KEYS_OPTIONAL,
    SECRET_KEYS_REQUIRED,
    WANDB_KEYS_OPTIONAL,
    WANDB_KEYS_REQUIRED,
)

Kind = Literal["Secret", "ConfigMap", "PersistentVolumeClaim"]


@dataclass(frozen=True)
class Reference:
    """A field that names an object of the job's namespace."""

    kind: Kind
    name: str
    """Of the object."""
    field: str
    """Path of the field, such as spec.storage.caBundle."""
    keys: tuple[str, ...] = ()
    """The keys that the pod takes from it; empty for a volume with all of them."""
    volume: str = ""
    """Name of the pod's volume, if it is mounted."""


def find_references(spec: FineTuneJobSpec) -> Iterator[Reference]:
    """Every Secret, ConfigMap and claim that a spec names, but not the Secrets to pull images with."""
    if secret := spec.storage.credentials_secret_ref:
        field = "spec.storage.credentialsSecretRef"
        yield Reference("Secret", secret.name, field, (*SECRET_KEYS_REQUIRED, *SECRET_KEYS_OPTIONAL))
    if secret := spec.reporting.wandb_secret_ref:
        field = "spec.reporting.wandbSecretRef"
        yield Reference("Secret", secret.name, field, (*WANDB_KEYS_REQUIRED, *WANDB_KEYS_OPTIONAL))
    if secret := spec.model.token_secret_ref:
        yield Reference("Secret", secret.name, "spec.model.tokenSecretRef", HUB_KEYS_REQUIRED)
    if bundle := spec.storage.ca_bundle:
        name = bundle.config_map_name
        yield Reference("ConfigMap", name, "spec.storage.caBundle", (bundle.key,), "ca-bundle")
    if claim := spec.feature_cache.persistent_volume_claim:
        field = "spec.featureCache.persistentVolumeClaim"
        yield Reference("PersistentVolumeClaim", claim.name, field, volume="features")
    if spec.cache:
        field, name = "spec.cache.persistentVolumeClaim", spec.cache.persistent_volume_claim.name
        yield Reference("PersistentVolumeClaim", name, field, volume="downloads")
    yield from _variables(spec)
    yield from _volumes(spec)


def _variables(spec: FineTuneJobSpec) -> Iterator[Reference]:
    for number, variable in enumerate(spec.pod.env or []):
        if variable.value_from is None:
            continue
        field = f"spec.pod.env[{number}]"
        if secret := variable.value_from.secret_key_ref:
            yield Reference("Secret", secret.name, field, (secret.key,))
        if config_map := variable.value_from.config_map_key_ref:
            yield Reference("ConfigMap", config_map.name, field, (config_map.key,))


def _volumes(spec: FineTuneJobSpec) -> Iterator[Reference]:
    for number, volume in enumerate(spec.pod.volumes or []):
        field = f"spec.pod.volumes[{number}]"
        if volume.secret:
            yield Reference("Secret", volume.secret.secret_name, field, volume=volume.name)
        if volume.config_map:
            yield Reference("ConfigMap", volume.config_map.name, field, volume=volume.name)
        if claim := volume.persistent_volume_claim:
            yield Reference("PersistentVolumeClaim", claim.claim_name, field, volume=volume.name)
