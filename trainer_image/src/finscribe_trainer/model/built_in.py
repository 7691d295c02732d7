"""Finds the small model that ships in this package, and checks its files."""

import hashlib
from pathlib import Path

from finscribe_core.constants import BUILT_IN_MODEL
from finscribe_core.errors import FailureReason, UserError

FOLDER = Path(__file__).with_name("tiny_ocr_vl")
CHECKSUMS = "SHA256SUMS"
"""Written by `make tiny-model`; a line for each file, as `sha256sum` writes it."""


def find_built_in_model(folder: Path = FOLDER) -> Path:
    """The folder of the built-in model, after its files were compared with their checksums.

    Raises:
        UserError: ModelNotFound, naming the first file that is missing or differs.
    """
    for name, expected in read_checksums(folder).items():
        if not (folder / name).is_file() or sha256(folder / name) != expected:
            raise _damaged(folder, name)
    return folder


def read_checksums(folder: Path) -> dict[str, str]:
    """The recorded SHA-256 of each of the model's files.

    Raises:
        UserError: ModelNotFound when the list is missing.
    """
    if not (folder / CHECKSUMS).is_file():
        raise _damaged(folder, CHECKSUMS)
    lines = (folder / CHECKSUMS).read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}


def sha256(file: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _damaged(folder: Path, name: str) -> UserError:
    return UserError(
        FailureReason.ModelNotFound,
        f"{BUILT_IN_MODEL}: {folder / name} is missing, or differs from the file that FinScribe ships.",
        "Install FinScribe again; in a checkout: git restore " + str(folder),
    )
