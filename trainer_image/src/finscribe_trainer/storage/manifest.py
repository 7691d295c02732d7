"""The list of a result's files, written last: what it names is complete."""

import hashlib
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError

from finscribe_core.api.base import KubeModel
from finscribe_core.constants import MANIFEST_FILE

_READ_SIZE = 1024 * 1024


def _stay_below(path: str) -> str:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or not parts.parts:
        raise ValueError("leads outside")
    return path


class ManifestFile(KubeModel):
    """One file."""

    path: Annotated[str, AfterValidator(_stay_below)]
    """Path below the manifest's own prefix, with slashes."""
    size: int = Field(ge=0)
    """Bytes."""
    sha256: str
    """SHA-256 of the content, in hex."""


class Manifest(KubeModel):
    """Every file of a result."""

    version: int = 1
    files: list[ManifestFile]


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder; None when it has none of ours."""
    try:
        return Manifest.model_validate_json((folder / MANIFEST_FILE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, in hex; holds 1 MiB of it at a time."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ_SIZE):
            digest.update(block)
    return digest.hexdigest()


def files_below(folder: Path) -> list[Path]:
    """Every file of a result, sorted; an older manifest and unfinished downloads are none of it."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and path != folder / MANIFEST_FILE
        and not path.name.endswith((".part", ".part.json"))
    )


def damaged_files(folder: Path, manifest: Manifest) -> list[str]:
    """Paths of the manifest that are missing in the folder, or differ from what it says."""
    return [
        entry.path
        for entry in manifest.files
        if not (path := folder / entry.path).is_file()
        or path.stat().st_size != entry.size
        or sha256_of(path) != entry.sha256
    ]
