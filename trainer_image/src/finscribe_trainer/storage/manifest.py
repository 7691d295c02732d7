"""Reads and verifies manifests: path, size and SHA-256 of every file of an uploaded folder.

The manifest is uploaded last: a folder that has one is complete.
"""

import hashlib
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError

from finscribe_core.api.base import KubeModel
from finscribe_core.constants import MANIFEST_FILE
from finscribe_trainer.storage.uri import is_temporary

_READ_SIZE = 1024 * 1024
MAX_MANIFEST_SIZE = 64 * 1024 * 1024
"""Bytes; that of a folder of 100,000 files has about 20 MB."""


def _check_below_folder(path: str) -> str:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or not parts.parts:
        raise ValueError("is outside the folder")
    return path


class ManifestFile(KubeModel):
    """One file of a folder."""

    path: Annotated[str, AfterValidator(_check_below_folder)]
    """Path below the manifest's prefix, with slashes."""
    size: int = Field(ge=0)
    """Bytes."""
    sha256: str
    """SHA-256 of the content, in hex."""


class Manifest(KubeModel):
    """Every file of a folder."""

    version: int = 1
    files: list[ManifestFile]


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder; None when it has none, or its manifest.json is something else."""
    path = folder / MANIFEST_FILE
    try:
        if path.stat().st_size > MAX_MANIFEST_SIZE:
            return None
        return Manifest.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ_SIZE):
            digest.update(block)
    return digest.hexdigest()


def files_below(folder: Path) -> list[Path]:
    """Every file of a folder, sorted, except an older manifest and unfinished downloads."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and path != folder / MANIFEST_FILE and not is_temporary(path)
    )


def damaged_files(folder: Path, manifest: Manifest) -> list[str]:
    """Paths of the manifest whose files are missing in the folder or have another size or SHA-256."""
    return [
        entry.path
        for entry in manifest.files
        if not (path := folder / entry.path).is_file()
        or path.stat().st_size != entry.size
        or sha256_of(path) != entry.sha256
    ]
