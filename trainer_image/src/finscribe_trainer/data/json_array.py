"""Reads the elements of a JSON array one by one, in constant memory."""

import re
from collections.abc import Iterator
from typing import BinaryIO

_OUTSIDE = re.compile(rb'["\[\]{},]')
_IN_TEXT = re.compile(rb'["\\]')
_BLOCK_SIZE = 2**16


def elements(file: BinaryIO, longest: int) -> Iterator[bytes | None]:
    """The text of each element; None for one of more than `longest` bytes.

    Only brackets, quotes and commas are looked at: elements may be invalid.

    Raises:
        EOFError: the array has no end, or something follows it.
    """
    array = _Array(longest)
    while block := file.read(_BLOCK_SIZE):
        yield from array.read(block)
    if not array.ended:
        raise EOFError("the array has no end")


class _Array:
    """The state between two blocks of the file."""

    def __init__(self, longest: int) -> None:
        self.ended = False
        self._longest = longest
        self._depth = 0
        self._in_text = self._skip_next = self._too_long = False
        self._element = bytearray()
        self._count = 0

    def read(self, block: bytes) -> Iterator[bytes | None]:
        start = 0
        position = 1 if self._skip_next else 0
        self._skip_next = False
        while found := (_IN_TEXT if self._in_text else _OUTSIDE).search(block, position):
            position, byte = found.end(), found[0]
            if self.ended:
                raise EOFError("something follows the array")
            if byte == b'"':
                self._in_text = not self._in_text
            elif byte == b"\\":
                position += 1
                self._skip_next = position > len(block)
            elif byte in b"[{":
                self._depth += 1
                start = position if self._depth == 1 else start
            elif byte in b"]}":
                self._depth -= 1
            if self._depth == 0 or (byte == b"," and self._depth == 1 and not self._in_text):
                self._add(block[start : position - 1])
                start = position
                self.ended = self._depth == 0
                yield from self._take()
        if not self.ended:
            self._add(block[start:])

    def _add(self, part: bytes) -> None:
        self._element += part
        if len(self._element) > self._longest:
            self._too_long = True
            self._element.clear()

    def _take(self) -> Iterator[bytes | None]:
        element = None if self._too_long else bytes(self._element)
        self._too_long = False
        self._element.clear()
        if not (self.ended and self._count == 0 and element is not None and not element.strip()):  # []
            self._count += 1
            yield element
