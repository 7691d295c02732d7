"""Files of rows that are there as a whole, or not at all."""

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from finscribe_core.errors import FailureReason, RetryableError, UserError


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
    parts = [path.with_name(f"{path.name}.part") for path in paths]
    opened = []
    try:
        with ExitStack() as stack:
            files: list[TextIO] = []
            for part in parts:
                part.parent.mkdir(parents=True, exist_ok=True)
                files.append(stack.enter_context(part.open("w", encoding="utf-8")))
                opened.append(part)
            yield files
        for part, path in zip(parts, paths, strict=True):
            part.replace(path)
    except OSError as error:
        raise _unwritable(error, paths[0]) from error
    finally:
        for part in opened:
            part.unlink(missing_ok=True)


def _unwritable(error: OSError, path: Path) -> UserError | RetryableError:
    what = f"{error.filename or path}: {error.strerror or error}."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RetryableError(FailureReason.DiskFull, what, "Make room, and run the command again.")
    return UserError(FailureReason.InvalidConfig, what, "Name a place that can be read and written.")
