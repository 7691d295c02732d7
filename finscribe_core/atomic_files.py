"""Writes files atomically: to a temporary file that is renamed when it is complete."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def atomic_path(path: Path, *, unique: bool = False) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it on success and deleted on an error.

    A killed process therefore leaves no partial file under the final name; an existing file is replaced.

    Args:
        path: the file to write or replace.
        unique: whether several processes may write the same file at the same time; otherwise the temporary
            name is fixed, so that a later attempt overwrites what a killed one left.

    Raises:
        OSError: the file can't be written; an existing file is kept.
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
        OSError: the file can't be written; an existing file is kept.
    """
    with atomic_path(path, unique=unique) as part:
        part.write_bytes(data)
