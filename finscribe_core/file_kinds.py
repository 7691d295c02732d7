"""Recognises a file that belongs to another command, and names that command."""

from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import Any

from finscribe_core.constants import KIND
from finscribe_core.errors import FailureReason, UserError
from finscribe_core.yaml_files import Document, read_documents


class FileKind(Enum):
    """A kind of file: what to call it, and the command that reads it."""

    Job = (f"a {KIND}", "finscribe run {file}")
    Config = ("a config of the trainer", "finscribe train --config {file}")
    Experiments = ("a file of experiments", "finscribe experiments run {file}")


def read_document(path: Path, expected: FileKind, remedy: str) -> Document:
    """The only document of a YAML file.

    Args:
        path: the file.
        expected: its kind.
        remedy: for a file with none or several documents.

    Raises:
        UserError: InvalidConfig, as of `read_documents` and `check_kind`, or for none or several documents.
    """
    documents = read_documents(path)
    check_kind(documents, expected)
    if len(documents) != 1:
        holds = f"holds {len(documents)} documents, not one" if documents else "is empty"
        raise UserError(FailureReason.InvalidConfig, f"{path} {holds}.", remedy)
    return documents[0]


def check_kind(documents: Iterable[Document], expected: FileKind) -> None:
    """Check that no document belongs to another command.

    Raises:
        UserError: InvalidConfig, naming the command that reads the file.
    """
    for document in documents:
        kind = _kind_of(document.data)
        if kind not in (None, expected):
            assert kind is not None
            name, command = kind.value
            raise UserError(
                FailureReason.InvalidConfig,
                f"{document.where(())}: this is {name}, not {expected.value[0]}.",
                f"Run: {command.format(file=document.source)}",
            )


def _kind_of(data: Any) -> FileKind | None:
    if not isinstance(data, dict):
        return None
    if data.get("kind") == KIND:
        return FileKind.Job
    if "kind" in data or "apiVersion" in data:
        return None
    if isinstance(data.get("experiments"), list):
        return FileKind.Experiments
    if data.keys() & {"dataset_path", "datasetPath", "model_name_or_path", "modelNameOrPath"}:
        return FileKind.Config
    return None
