"""Files of rows that are there as a whole, or not at all."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from finscribe_core.errors import FailureReason, UserError


@contextmanager
def new_files(*paths: Path) -> Iterator[list[TextIO]]:
    """Text files to write to; they get their names when all are complete, and vanish on an error.

    Raises:
        UserError: InvalidConfig when one exists already, or its folder can't be written to.
    """
    for path in paths:
        if path.exists():
            raise UserError(
                FailureReason.InvalidConfig, f"{path} exists already.", "Name another output, or remove it."
            )
    parts = [path.with_name(f"{path.name}.part") for path in paths]
    try:
        with ExitStack() as stack:
            yield [stack.enter_context(_open(part)) for part in parts]
        for part, path in zip(parts, paths, strict=True):
            part.replace(path)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def _open(path: Path) -> TextIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise UserError(
            FailureReason.InvalidConfig, f"{path}: {error.strerror}.", "Name a folder that can be written to."
        ) from None
