"""Finds known names in free text, ignoring case, spacing and Unicode encoding, and replaces them."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_SCRIPTS = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORD = re.compile(rf"[{_SCRIPTS}]|(?:[^\W{_SCRIPTS}][\u0300-\u036f]*)+")
"""A word including combining accents; a single character in scripts without spaces between words."""


@dataclass(frozen=True)
class Replacement:
    """A span of a text and its pseudonym."""

    start: int
    end: int
    kind: str
    pseudonym: str


@dataclass(frozen=True)
class _KnownName:
    kind: str
    original: str
    pseudonym: str
    tail: str
    """Characters after the last word, such as the period of "Acme Inc."."""


class KnownNames:
    """The original names of a data set with their pseudonyms.

    A search takes a few look-ups per word, independent of the number of names; memory holds each name once.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], _KnownName] = {}
        self._lengths: dict[str, list[int]] = {}
        """Lengths in words of the names that start with a word, longest first."""

    def add(self, kind: str, original: str, pseudonym: str) -> None:
        """Add an original; one without a word is ignored."""
        found = list(_WORD.finditer(original))
        if found:
            words = tuple(_fold(word[0]) for word in found)
            known = _KnownName(kind, original.strip(), pseudonym, original.rstrip()[found[-1].end() :])
            self._known.setdefault(words, known)
            lengths = {*self._lengths.get(words[0], ()), len(words)}
            self._lengths[words[0]] = sorted(lengths, reverse=True)

    def find(self, text: str) -> Iterator[Replacement]:
        """Find all known names in a text, the longest at each position.

        A single word must match in case, or start with a capital: "Apple" is not found in "apple pie".
        """
        words = list(_WORD.finditer(text))
        folded = [_fold(word[0]) for word in words]
        for index, first in enumerate(folded):
            for length in self._lengths.get(first, ()):
                known = self._known.get(tuple(folded[index : index + length]))
                if known and (
                    length > 1 or words[index][0][0].isupper() or words[index][0] in known.original
                ):
                    end = words[index + length - 1].end()
                    end += len(known.tail) if text.startswith(known.tail, end) else 0
                    yield Replacement(words[index].start(), end, known.kind, known.pseudonym)
                    break


def _fold(word: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", word).casefold())


def replace(text: str, replacements: Iterable[Replacement]) -> tuple[str, list[str]]:
    """Apply replacements (of overlapping ones the first and longest); returns the text and their kinds.

    Pseudonyms are not searched again, since one could equal another original.
    """
    done, kinds, position = [], [], 0
    for replacement in sorted(replacements, key=lambda replacement: (replacement.start, -replacement.end)):
        if replacement.start >= position:
            done += [text[position : replacement.start], replacement.pseudonym]
            kinds.append(replacement.kind)
            position = replacement.end
    return "".join([*done, text[position:]]), kinds
