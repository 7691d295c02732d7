"""A compact hash table of row digests, to find duplicates in data sets of any size."""

import hashlib
from array import array
from collections.abc import Iterable

_MAX_LOAD_FACTOR = 2 / 3
_LINE_BITS = 40


class FirstOccurrences:
    """A hash table from digests of rows to their first locations.

    Memory: 24 to 48 bytes per row (72 while it grows). Digests have 64 bits: with ten million rows,
    the probability of a collision is 3e-6.
    """

    def __init__(self) -> None:
        self._sources: dict[str, int] = {}
        self._names: list[str] = []
        self._count = 0
        self._keys = array("Q", bytes(8 * 1024))
        self._values = array("Q", bytes(8 * 1024))

    def find(self, key: int) -> str | None:
        """The first location (`file:line`) of a digest, or None."""
        slot = self._slot(key)
        return self._text(self._values[slot]) if self._keys[slot] else None

    def find_or_add(self, key: int, where: str) -> str | None:
        """The first location of a digest; if there is none, store `where` and return None."""
        slot = self._slot(key)
        if self._keys[slot]:
            return self._text(self._values[slot])
        source, _, line = where.rpartition(":")
        if source not in self._sources:
            self._sources[source] = len(self._names)
            self._names.append(source)
        self._keys[slot] = key
        self._values[slot] = self._sources[source] << _LINE_BITS | int(line)
        self._count += 1
        if self._count > _MAX_LOAD_FACTOR * len(self._keys):
            self._grow()
        return None

    def _slot(self, key: int) -> int:
        mask = len(self._keys) - 1
        slot = key & mask
        while self._keys[slot] not in (0, key):
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        keys, values = self._keys, self._values
        self._keys, self._values = array("Q", bytes(16 * len(keys))), array("Q", bytes(16 * len(keys)))
        for key, value in zip(keys, values, strict=True):
            if key:
                slot = self._slot(key)
                self._keys[slot], self._values[slot] = key, value

    def _text(self, value: int) -> str:
        return f"{self._names[value >> _LINE_BITS]}:{value & (1 << _LINE_BITS) - 1}"


def digest_of(parts: Iterable[str]) -> int:
    """A digest of texts, never 0."""
    hasher = hashlib.blake2b(digest_size=8)
    for part in parts:
        data = part.encode(errors="surrogatepass")
        hasher.update(len(data).to_bytes(8, "big") + data)
    return int.from_bytes(hasher.digest(), "big") or 1
