"""Reads the manifest file of `finscribe run`: one FineTuneJob and its Secrets, unknown keys are rejected.

What of the job applies to a cluster's pods only is left out.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from finscribe_core.api.base import KubeModel
from finscribe_core.api.pod import PodSpec
from finscribe_core.api.v1alpha1 import FineTuneJob, ObjectMeta
from finscribe_core.constants import KIND, OCI_SCHEME, SECRET_KEYS_REQUIRED
from finscribe_core.errors import FailureReason, UserError
from finscribe_core.file_kinds import FileKind, check_kind
from finscribe_core.parsing import parse_strictly
from finscribe_core.yaml_files import Document, read_documents


class Secret(KubeModel):
    """The part of a Secret's manifest that is used here."""

    api_version: Literal["v1"] = "v1"
    kind: Literal["Secret"] = "Secret"
    metadata: ObjectMeta
    type: str = "Opaque"
    immutable: bool = False
    data: dict[str, str] = {}
    """Values in base64."""
    string_data: dict[str, str] = {}
    """Values in plain text; they override `data`."""


@dataclass(frozen=True)
class Manifest:
    """A parsed file."""

    path: Path
    job: FineTuneJob
    secrets: Mapping[str, Mapping[str, str]]
    """Decoded values by the Secret's name; kept in memory only."""


def read_manifest(path: Path) -> Manifest:
    """Read the file.

    Raises:
        UserError: InvalidConfig, naming file and line.
    """
    documents = read_documents(path)
    check_kind(documents, FileKind.Job)
    jobs = [document for document in documents if _kind(document) == KIND]
    for document in documents:
        if _kind(document) not in (KIND, "Secret"):
            raise _invalid(
                document, ("kind",), f"expected a {KIND} or a Secret, got {_kind(document) or 'no kind'}."
            )
    if len(jobs) != 1:
        where = jobs[1].where(("kind",)) if jobs else str(path)
        raise UserError(
            FailureReason.InvalidConfig,
            f"{where}: expected exactly one {KIND}, got {len(jobs)}.",
            "Give each job a file of its own.",
        )
    job = parse_strictly(FineTuneJob, jobs[0])
    secrets = {}
    for document in documents:
        if _kind(document) == "Secret":
            secret = parse_strictly(Secret, document)
            if secret.metadata.namespace == job.metadata.namespace:
                secrets[secret.metadata.name] = _values(secret, document)
    _check_credentials(job, secrets, jobs[0])
    if job.spec.experiments:
        raise UserError(
            FailureReason.InvalidConfig,
            f"{jobs[0].where(('spec', 'experiments'))}: experiments need a cluster; each is a job there.",
            "Here, use `finscribe experiments run`.",
        )
    if job.spec.model.source.startswith(OCI_SCHEME):
        raise UserError(
            FailureReason.InvalidConfig,
            f"{jobs[0].where(('spec', 'model', 'source'))}: the image of an oci:// model is mounted by a "
            "cluster only.",
            "Here, copy the model out of the image, and name the absolute path of its folder.",
        )
    return Manifest(path, _without_the_clusters(job), secrets)


def _without_the_clusters(job: FineTuneJob) -> FineTuneJob:
    """The job without its pod's settings and certificates, for which this machine's environment stands, and
    without its queue.
    """
    storage = job.spec.storage.model_copy(update={"ca_bundle": None})
    queue = {"queue_name": None, "queue_priority_class": None}
    spec = job.spec.model_copy(update={"pod": PodSpec(), "storage": storage, **queue})
    return job.model_copy(update={"spec": spec})


def _kind(document: Document) -> str:
    return str(document.data.get("kind", "")) if isinstance(document.data, dict) else ""


def _values(secret: Secret, document: Document) -> dict[str, str]:
    values = {}
    for key, value in secret.data.items():
        try:
            values[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            # Never the value itself: it may be the secret in plain text.
            raise _invalid(
                document, ("data", key), f"data.{key} is not base64.", "Write plain text below stringData."
            ) from None
    return values | secret.string_data


def _check_credentials(
    job: FineTuneJob, secrets: Mapping[str, Mapping[str, str]], document: Document
) -> None:
    reference = job.spec.storage.credentials_secret_ref
    if reference is None or reference.name not in secrets:
        return
    for key in SECRET_KEYS_REQUIRED:
        if key not in secrets[reference.name]:
            raise _invalid(
                document,
                ("spec", "storage", "credentialsSecretRef", "name"),
                f"the Secret {reference.name} in this file has no key {key}.",
                f"Add {key} to its stringData.",
            )


def _invalid(document: Document, loc: tuple[str | int, ...], problem: str, remedy: str = "") -> UserError:
    return UserError(FailureReason.InvalidConfig, f"{document.where(loc)}: {problem}", remedy)
