"""Reads the manifests that are submitted, and checks them as the API server will, before anything is sent."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from finscribe_client.errors import ClientError, ClientReason, InvalidObjectError
from finscribe_core.api.v1alpha1 import FineTuneJob
from finscribe_core.constants import KIND
from finscribe_core.errors import FailureReason, UserError
from finscribe_core.fields import Loc
from finscribe_core.file_kinds import FileKind, check_kind
from finscribe_core.parsing import parse_strictly
from finscribe_core.yaml_files import Document, read_documents

STDIN = "-"
SOURCE = "the job"
"""Stands for the file of a manifest that is no file."""


@dataclass(frozen=True)
class Submission:
    """An object to apply, and where it is written."""

    document: Document

    @property
    def kind(self) -> str:
        """FineTuneJob or Secret."""
        return str(self.document.data["kind"])

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.document.data["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """The namespace that is written; empty if none is."""
        return str(self.document.data["metadata"].get("namespace") or "")

    def manifest(self, namespace: str) -> dict[str, Any]:
        """The object for a namespace, without what only the operator writes."""
        data = {key: value for key, value in self.document.data.items() if key != "status"}
        return {**data, "metadata": {**data["metadata"], "namespace": namespace}}

    def annotated(self, name: str, value: str) -> "Submission":
        """The same object with an annotation."""
        data = self.document.data
        annotations = {**(data["metadata"].get("annotations") or {}), name: value}
        metadata = {**data["metadata"], "annotations": annotations}
        return Submission(replace(self.document, data={**data, "metadata": metadata}))

    def explain(self, error: ClientError) -> ClientError:
        """The API server's error, with file and line of each field that it names."""
        where = self.document.where
        if not isinstance(error, InvalidObjectError):
            return ClientError(error.reason, f"{where(())}: {error.message}", error.remedy)
        lines = [f"{where(_location(path))}: {path}: {message}." for path, message in error.causes]
        return ClientError(ClientReason.Rejected, "\n".join(lines).replace("..", "."))


def read_submissions(paths: Sequence[Path], namespace: str | None = None) -> list[Submission]:
    """The objects of some files, Secrets first.

    Args:
        paths: the files; `-` is the standard input.
        namespace: the only one that may be written in them; any if None.

    Raises:
        UserError: InvalidConfig, with file and line.
    """
    files = [Path("/dev/stdin") if str(path) == STDIN else path for path in paths]
    documents = [document for file in files for document in read_documents(file)]
    check_kind(documents, FileKind.Job)
    found = [_check(document) for document in documents]
    if not any(item.kind == KIND for item in found):
        names = ", ".join(map(str, files))
        raise UserError(FailureReason.InvalidConfig, f"{names}: no {KIND} found.", "Check the path.")
    for item in found:
        if namespace and item.namespace not in ("", namespace):
            where = item.document.where(("metadata", "namespace"))
            message = f"{where}: the namespace {item.namespace} is not that of --namespace, {namespace}."
            raise UserError(FailureReason.InvalidConfig, message, "Remove one of them.")
    return sorted(found, key=lambda item: item.kind == KIND)


def submission_of(manifest: dict[str, Any] | FineTuneJob) -> Submission:
    """The submission of a job that is no file.

    Raises:
        UserError: InvalidConfig, as of `read_submissions`.
    """
    data = manifest
    if isinstance(manifest, FineTuneJob):
        data = {**manifest.to_kubernetes(), "spec": manifest.spec.as_written()}
        written = manifest.metadata.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)
        data |= {"metadata": written}
    return _check(Document(SOURCE, data, {}))


def _check(document: Document) -> Submission:
    data = document.data
    kind = data.get("kind") if isinstance(data, dict) else None
    if kind == "Secret":
        _check_secret(document)
        return Submission(document)
    if kind != KIND:
        message = f"{document.where(('kind',))}: expected a {KIND} or a Secret, got {kind or 'no kind'}."
        raise UserError(FailureReason.InvalidConfig, message, "Apply other objects with kubectl.")
    shown = {key: value for key, value in data.items() if key != "status"}
    parse_strictly(FineTuneJob, Document(document.source, shown, document.lines))
    return Submission(document)


def _check_secret(document: Document) -> None:
    """Check what the API server would quote in an error: values of Secrets are in no message."""
    data = document.data
    if not isinstance(data.get("metadata"), dict) or not data["metadata"].get("name"):
        message = f"{document.where(('metadata',))}: metadata.name is required."
        raise UserError(FailureReason.InvalidConfig, message)
    for section in ("data", "stringData"):
        values = data.get(section, {})
        if not isinstance(values, dict):
            message = f"{document.where((section,))}: {section} must be a mapping of keys to texts."
            raise UserError(FailureReason.InvalidConfig, message)
        for key, value in values.items():
            if not isinstance(value, str) or (section == "data" and not _is_base64(value)):
                kind = "base64" if section == "data" else "a text; put it in quotes"
                message = f"{document.where((section, key))}: {section}.{key} must be {kind}."
                raise UserError(FailureReason.InvalidConfig, message)


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return True


def _location(path: str) -> Loc:
    """The location of a field that the API server names.

    >>> _location("spec.experiments[1].name")
    ('spec', 'experiments', 1, 'name')
    """
    parts = re.findall(r"[^.\[\]]+", path)
    return tuple(int(part) if part.isdecimal() else part for part in parts)
