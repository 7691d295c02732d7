"""Limits what a compressed file of rows expands to: a file of 1 kB can stand for gigabytes."""

from finscribe_trainer.documents.problems import Problem

ALWAYS_ALLOWED = 256 * 2**20
"""Bytes that any file may expand to."""
_RATIO = 1000
"""Bytes that each byte of a larger file may expand to; rows of documents expand to 5 to 50."""
_ROW_BYTES = 512
"""Memory of a row besides its texts."""


class Expansion:
    """Counts the bytes that a file's rows expand to.

    Args:
        size: bytes of the compressed file.
    """

    def __init__(self, size: int) -> None:
        self.limit = max(ALWAYS_ALLOWED, _RATIO * size)
        """Most bytes that the file may expand to."""
        self._size = size
        self._used = 0

    def add(self, num_bytes: int, rows: int = 1) -> Problem | None:
        """Count rows before they are read into memory; a problem when they are too much."""
        self._used += num_bytes + _ROW_BYTES * rows
        if self._used <= self.limit:
            return None
        message = f"{self._size} bytes expand to more than {self.limit // 2**20} MiB up to here"
        return Problem("expansion", "", message)
