"""Sets the modes of weight files, links files, and checks that an output file can be written."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from finscribe_core.atomic_files import atomic_path
from finscribe_core.errors import FailureReason, UserError


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


def link_or_copy(source: Path, target: Path) -> None:
    """Hard-link a file to a path that is free; copy it where hard links are not possible."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        with atomic_path(target) as part:
            shutil.copyfile(source, part)
