"""Locks a file for one process at a time; processes it starts can keep the lock after it has ended.

The `filelock` package can't do this: it keeps its descriptor private, rejects a lock that a child inherited,
and unlocks explicitly at the end, which would release the child's lock, too.
"""

import fcntl
import os
from pathlib import Path
from typing import TextIO


class LockHeldError(Exception):
    """Another process holds the lock."""

    def __init__(self, holder: str) -> None:
        super().__init__(f"held by process {holder}")
        self.holder = holder
        """Process id of who locked it; `unknown` where it is not written yet."""


def lock_file(path: Path, *, wait: bool = False) -> TextIO:
    """Lock the file, created if missing, until the returned file is closed or the process ends.

    The descriptor is inheritable: a child started with `close_fds=False` holds the lock until it ends, too.

    Args:
        path: the lock file; its folder must exist.
        wait: wait until the file is unlocked instead of raising.

    Raises:
        LockHeldError: another process holds the lock, unless `wait`.
        OSError: the file can't be opened for writing.
    """
    file = _locked(path, wait=wait)
    while not _is_at(file, path):  # a holder has removed the file as it ended: lock the one that is there now
        file.close()
        file = _locked(path, wait=wait)
    try:
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        os.set_inheritable(file.fileno(), True)
    except BaseException:
        file.close()
        raise
    return file


def _locked(path: Path, *, wait: bool) -> TextIO:
    # Opened without truncating: the holder's process id must survive a failed attempt.
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise LockHeldError(holder) from None
    except BaseException:
        file.close()
        raise
    return file


def _is_at(file: TextIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
