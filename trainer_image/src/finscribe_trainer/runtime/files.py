"""Atomic writes, file modes, and a check that an output file can be written."""

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

    So a killed process leaves no half of a file under its final name; what was there before is replaced.

    Args:
        path: the file to write or replace.
        unique: whether several processes may write the same file at once; else the temporary name is fixed,
            so that a later attempt overwrites what a killed one left.

    Raises:
        OSError: it can't be written; what was there is kept.
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
        OSError: it can't be written; what was there is kept.
    """
    with atomic_path(path, unique=unique) as part:
        part.write_bytes(data)


def follow_umask(folder: Path) -> None:
    """Give a folder's weight files the mode of all others: safetensors writes them for their owner alone."""
    mask = os.umask(0o077)  # it is only told by being set
    os.umask(mask)
    for path in folder.glob("*.safetensors"):
        with contextlib.suppress(OSError):  # a volume without modes ends no run
            path.chmod(0o666 & ~mask)


def check_writable(output: Path) -> None:
    """Make the folder of a file that is to be written, and try to write there.

    Raises:
        UserError: InvalidConfig when that fails, or something that is no file stands in its place.
    """
    problem = None
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output.parent):
            pass
        if output.exists() and not output.is_file():
            problem = "is no file"
    except OSError as error:
        problem = f"can't be written: {error.strerror}"
    if problem:
        raise UserError(FailureReason.InvalidConfig, f"{output} {problem}.", "Name another --output.")
