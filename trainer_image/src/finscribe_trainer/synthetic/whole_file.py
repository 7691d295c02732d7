"""Files that are there as a whole, or not at all."""

from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under another name first: a kill leaves no half of it. What was there is replaced."""
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(data)
    part.replace(path)
