"""The rule of every command that writes: nothing is replaced unless asked, and one process writes at a time.

A command claims its folder or files before it works, which locks them. What it writes appears together.
"""

import errno
import logging
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from finscribe_core.errors import (
    FailureReason,
    RetryableError,
    UserError,
    disk_errors_as_finscribe_errors,
)
from finscribe_core.file_lock import LockHeldError, lock_file
from finscribe_trainer.runtime.files import check_writable

log = logging.getLogger(__name__)

LOCK_FILE = ".lock"
UNFINISHED_PREFIX = ".unfinished-"
"""Name prefix of the folder that `replace_together` writes to; a killed process leaves it behind."""
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""Errors of file systems that support no locks."""


@contextmanager
def claim_folder(
    folder: Path, *, overwrite: bool = False, writes: Collection[str] | None = None, own: str | None = None
) -> Iterator[None]:
    """Create a folder, and lock it inside this context.

    Args:
        folder: the output folder.
        overwrite: whether its content may be replaced.
        writes: the names that will be written there; others may exist. By default the folder must be empty.
        own: name of a file by which the command recognizes a folder of its own, which it may continue.

    Raises:
        UserError: InvalidConfig when the folder holds something else, or can't be used.
        RetryableError: Interrupted when another process writes there.
    """
    with disk_errors_as_finscribe_errors():
        folder.mkdir(parents=True, exist_ok=True)
    with _lock(folder / LOCK_FILE, folder):
        for left in folder.glob(f"{UNFINISHED_PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)
        if not overwrite and not (own and (folder / own).exists()):
            ours = (LOCK_FILE, f"{own}.part")  # the second is left if the first claim was killed
            found = sorted(path.name for path in folder.iterdir() if path.name not in ours)
            refuse_taken(folder, [name for name in found if writes is None or name in writes])
        yield


def refuse_taken(folder: Path, taken: Collection[str]) -> None:
    """Refuse an output folder in which these names are taken.

    Raises:
        UserError: InvalidConfig, unless there are none.
    """
    if taken:
        shown = ", ".join([*list(taken)[:3], *(["..."] if len(taken) > 3 else [])])
        raise UserError(
            FailureReason.InvalidConfig,
            f"{folder} is not empty: it holds {shown}.",
            "Name another --output-dir, or pass --overwrite.",
        )


@contextmanager
def claim_files(*outputs: Path, overwrite: bool = False) -> Iterator[None]:
    """Create the folder of output files, and lock them inside this context.

    Args:
        outputs: all files that will be written; the first is the one that the user named.
        overwrite: whether they may exist.

    Raises:
        UserError: InvalidConfig when one exists, or can't be written.
        RetryableError: Interrupted when another process writes the first.
    """
    named = outputs[0]
    check_writable(named)
    with _lock(named.with_name(f".{named.name}.lock"), named):
        for path in outputs:
            if not overwrite and os.path.lexists(path):
                raise UserError(
                    FailureReason.InvalidConfig,
                    f"{path} exists already.",
                    "Name another --output, or pass --overwrite.",
                )
        yield


@contextmanager
def _lock(file: Path, output: Path) -> Iterator[None]:
    """Hold a lock file, and remove it at the end; if this process is killed, its children hold it."""
    try:
        with disk_errors_as_finscribe_errors():
            lock = lock_file(file)
    except LockHeldError as held:
        raise RetryableError(
            FailureReason.Interrupted,
            f"Another process ({held.holder}) writes to {output}.",
            "Wait for its end, or name another output.",
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        log.warning("%s is on a file system without locks: let no other process write there", output)
        yield
        return
    with lock:
        try:
            yield
        finally:
            file.unlink(missing_ok=True)


@contextmanager
def replace_together(folder: Path, *, last: str, outdated: Collection[str] = ()) -> Iterator[Path]:
    """A temporary folder, whose entries replace those of `folder` when all of them are written.

    After an error `folder` is as before. A process that is killed while the entries are moved, which takes
    milliseconds, leaves the folder without `last`.

    Args:
        folder: a folder that this process has claimed.
        last: the entry that readers look for first: it is removed first and moved last.
        outdated: names of further entries to remove, which would not belong to the new ones.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=UNFINISHED_PREFIX) as name:
        staged = Path(name)
        yield staged
        new = sorted(path.name for path in staged.iterdir())
        for entry in (last, *outdated, *new):
            remove(folder / entry)
        for entry in sorted(new, key=lambda entry: entry == last):
            (staged / entry).replace(folder / entry)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
