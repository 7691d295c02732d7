"""Counts the scans of a JPEG file: each one costs a pass over all of its pixels."""

import mmap
import re
from pathlib import Path

from finscribe_trainer.data.table_images import ImageFile

MAX_SCANS = 20
"""Encoders write 10 scans for a progressive colour image, and few write more. Without a limit, a file of
200 kB can take a minute to decode."""
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_MARKER = re.compile(rb"\xff[\x02-\xcf\xd9-\xfe]")
"""A marker that ends compressed data: no stuffed zero, no restart, no fill byte (ITU-T T.81, B.1.1)."""


def has_too_many_scans(path: ImageFile) -> bool:
    """Whether a JPEG file has more than MAX_SCANS scans; its metadata and what follows it are skipped."""
    if not isinstance(path, Path):
        return _has_too_many(path.read_bytes())
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _has_too_many(data)


def _has_too_many(data: bytes | mmap.mmap) -> bool:
    scans = 0
    position = 2  # after the start of the image
    while scans <= MAX_SCANS and (found := _MARKER.search(data, position)):
        position = found.end()
        marker = data[position - 1]
        if marker == _END_OF_IMAGE:
            break
        scans += marker == _START_OF_SCAN
        position += int.from_bytes(data[position : position + 2], "big")  # its header or content
    return scans > MAX_SCANS
