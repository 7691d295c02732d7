"""Files of rows that are there as a whole, or not at all."""

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from finscribe_core.errors import FailureReason, RetryableError, UserError
from finscribe_trainer.runtime.files import atomic_path


@contextmanager
def new_files(*paths: Path) -> Iterator[list[TextIO]]:
    """Text files to write to; they get their names when all are complete, and vanish on an error.

    Raises:
        UserError: InvalidConfig when one exists already, is no .jsonl file, or can't be written.
        RetryableError: DiskFull.
    """
    for path in paths:
        if path.suffix != ".jsonl":
            raise UserError(FailureReason.InvalidConfig, f"{path} must end in .jsonl.", "Rename the output.")
        if os.path.lexists(path):
            raise UserError(
                FailureReason.InvalidConfig, f"{path} exists already.", "Name another output, or remove it."
            )
    try:
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as renamed:  # once every file is closed
            parts = [renamed.enter_context(atomic_path(path)) for path in paths]
            with ExitStack() as opened:
                yield [opened.enter_context(part.open("w", encoding="utf-8")) for part in parts]
    except OSError as error:
        raise _unwritable(error, paths[0]) from error


def _unwritable(error: OSError, path: Path) -> UserError | RetryableError:
    what = f"{error.filename or path}: {error.strerror or error}."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RetryableError(FailureReason.DiskFull, what, "Make room, and run the command again.")
    return UserError(FailureReason.InvalidConfig, what, "Name a place that can be read and written.")
