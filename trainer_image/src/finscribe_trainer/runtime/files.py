"""Writes files atomically, sets their modes, and checks that an output file can be written."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from finscribe_core.errors import FailureReason, UserError


@contextmanager
def atomic_path(path: Path, *, unique: bool = False) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it on success and deleted on an error.

    A killed process therefore leaves no partial file under the final name; an existing file is replaced.

    Args:
        path: the file to write or replace.
        unique: whether several processes may write the same file at once; otherwise the temporary name is
            fixed, so that a later attempt overwrites what a killed one left.

    Raises:
        OSError: the file can't be written; an existing file is kept.
    """
    part = path.with_name(f".{path.name}.{uuid4().hex}.part" if unique else f"{path.name}.part")
    try:
        yield part
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, data: bytes, *, unique: bool = False) -> None:
    """Write a file through `atomic_path`.

    Raises:
        OSError: the file can't be written; an existing file is kept.
    """
    with atomic_path(path, unique=unique) as part:
        part.write_bytes(data)


def follow_umask(folder: Path) -> None:
    """Set the mode of a folder's safetensors files by the umask; safetensors writes them with mode 600."""
    mask = os.umask(0o077)  # the umask can only be read by setting it
    os.umask(mask)
    for path in folder.glob("*.safetensors"):
        with contextlib.suppress(OSError):  # not an error on volumes without file modes
            path.chmod(0o666 & ~mask)


def check_writable(output: Path) -> None:
    """Create the folder of an output file, and check that it is writable.

    Raises:
        UserError: InvalidConfig when it is not, or when `output` exists and is not a file.
    """
    problem = None
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output.parent):
            pass
        if output.exists() and not output.is_file():
            problem = "is not a file"
    except OSError as error:
        problem = f"can't be written: {error.strerror}"
    if problem:
        raise UserError(FailureReason.InvalidConfig, f"{output} {problem}.", "Name another --output.")
