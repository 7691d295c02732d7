"""Writes new .jsonl files atomically."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from finscribe_core.atomic_files import atomic_path
from finscribe_core.errors import FailureReason, RetryableError, UserError, is_disk_full
from finscribe_trainer.runtime.outputs import claim_files


@contextmanager
def create_files(*paths: Path, overwrite: bool = False) -> Iterator[list[TextIO]]:
    """Open text files for writing; they are renamed to `paths` on success, and removed on an error.

    Raises:
        UserError: InvalidConfig when a file exists already, unless `overwrite`; is not a .jsonl file, or
            can't be written.
        RetryableError: DiskFull; Interrupted when another process writes them.
    """
    for path in paths:
        if path.suffix != ".jsonl":
            raise UserError(FailureReason.InvalidConfig, f"{path} must end in .jsonl.", "Rename the output.")
    try:
        with claim_files(*paths, overwrite=overwrite), ExitStack() as renamed:  # after all files are closed
            parts = [renamed.enter_context(atomic_path(path)) for path in paths]
            with ExitStack() as opened:
                yield [opened.enter_context(part.open("w", encoding="utf-8")) for part in parts]
    except OSError as error:
        raise _unwritable(error, paths[0]) from error


def _unwritable(error: OSError, path: Path) -> UserError | RetryableError:
    what = f"{error.filename or path}: {error.strerror or error}."
    if is_disk_full(error):
        return RetryableError(FailureReason.DiskFull, what, "Free some space and run the command again.")
    return UserError(FailureReason.InvalidConfig, what, "Name a folder that can be read and written.")
