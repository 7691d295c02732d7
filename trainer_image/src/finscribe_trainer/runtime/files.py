"""Files that are there as a whole, or not at all."""

from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under another name first: a kill leaves no half of it. What was there is replaced.

    Raises:
        OSError: it can't be written; what was there is kept.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
