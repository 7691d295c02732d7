"""Computes the ETag that S3 gives an object with a file's content."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

_READ_SIZE = 1024 * 1024


def etag_of_file(path: Path, part_sizes: Sequence[int] | None = None) -> str:
    """The ETag, without quotes: the MD5 of the content, or of the parts' MD5s with the number of parts.

    Args:
        path: the file.
        part_sizes: bytes of each part but the last, for an object that was uploaded in parts.
    """
    with path.open("rb") as file:
        if part_sizes is None:
            return _md5_of_next(file, None).hexdigest()
        digests = [_md5_of_next(file, size).digest() for size in (*part_sizes, None)]
    joined = hashlib.md5(b"".join(digests), usedforsecurity=False)
    return f"{joined.hexdigest()}-{len(digests)}"


def _md5_of_next(file: BinaryIO, size: int | None) -> "hashlib._Hash":
    """MD5 of the next `size` bytes of a file, or of all the rest."""
    digest = hashlib.md5(usedforsecurity=False)
    left = size
    while data := file.read(_READ_SIZE if left is None else min(left, _READ_SIZE)):
        digest.update(data)
        left = None if left is None else left - len(data)
    return digest
