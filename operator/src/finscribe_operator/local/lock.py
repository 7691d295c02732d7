"""One `finscribe run` at a time for a state directory."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from finscribe_core.errors import FailureReason, RetryableError, UserError


@contextmanager
def exclusive(state_dir: Path) -> Iterator[None]:
    """Hold the state directory; the kernel lets go of it however this process and its trainer end.

    Raises:
        RetryableError: another process holds it.
        UserError: it can't be made, or not be written.
    """
    with _open_lock(state_dir) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise RetryableError(
                FailureReason.Interrupted,
                f"{state_dir}: another `finscribe run` (process {holder}) works with this state directory.",
                "Wait for it (after a kill its trainer still saves a checkpoint), stop it with Ctrl+C, or "
                "name another one with --state-dir.",
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        # A trainer that outlives us, to save its checkpoint, holds it too: its lifeline inherits it.
        os.set_inheritable(file.fileno(), True)
        yield


def _open_lock(state_dir: Path) -> TextIO:
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        # Documents and models of a team do not belong in its repository.
        (state_dir / ".gitignore").write_text("*\n")
        # Opened without truncating: the holder's process id must survive our try.
        return (state_dir / "lock").open("a+")
    except OSError as error:
        raise UserError(
            FailureReason.InvalidConfig,
            f"{state_dir}: can't be used as state directory: {error.strerror}.",
            "Name another one with --state-dir.",
        ) from error
