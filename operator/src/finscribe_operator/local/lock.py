"""Locks the state directory, so that one `finscribe run` at a time uses it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from finscribe_core.errors import FailureReason, RetryableError, UserError, is_disk_full
from finscribe_core.file_lock import LockHeldError, lock_file


@contextmanager
def lock_state_directory(state_dir: Path) -> Iterator[None]:
    """Lock the state directory. A trainer that outlives this process to save its checkpoint keeps the lock.

    Raises:
        RetryableError: another process holds the lock; DiskFull.
        UserError: the directory holds something else, or can't be made or written.
    """
    with _lock(state_dir):
        yield


def _lock(state_dir: Path) -> TextIO:
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        if not (state_dir / "lock").exists() and any(state_dir.iterdir()):
            raise UserError(
                FailureReason.InvalidConfig,
                f"{state_dir}: holds something else than the state of `finscribe run`.",
                "Name an empty or a new directory with --state-dir.",
            )
        file = lock_file(state_dir / "lock")
        # Documents and models of a team do not belong in its repository.
        (state_dir / ".gitignore").write_text("*\n")
        return file
    except LockHeldError as error:
        raise RetryableError(
            FailureReason.Interrupted,
            f"{state_dir}: another `finscribe run` (process {error.holder}) uses this state directory.",
            "Wait for it (after a kill its trainer still saves a checkpoint), stop it with Ctrl+C, or "
            "name another one with --state-dir.",
        ) from None
    except OSError as error:
        if is_disk_full(error):
            raise state_directory_full(str(error)) from error
        raise UserError(
            FailureReason.InvalidConfig,
            f"{state_dir}: can't be used as state directory: {error.strerror}.",
            "Name another one with --state-dir.",
        ) from error


def state_directory_full(detail: str) -> RetryableError:
    """The error when the state directory can't be written."""
    return RetryableError(
        FailureReason.DiskFull,
        f"The state directory can't be written: {detail}.",
        "Free space, or name another directory with --state-dir.",
    )
