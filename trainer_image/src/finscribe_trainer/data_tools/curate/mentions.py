"""Finds known names in free text, however they are spaced or capitalised there."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_SCRIPTS = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORD = re.compile(rf"[{_SCRIPTS}]|(?:[^\W{_SCRIPTS}][\u0300-\u036f]*)+")
"""A word with its accents, however they are encoded; a sign, in scripts that put no space between words."""


@dataclass(frozen=True)
class Mention:
    """A place of a text, and what is to stand there."""

    start: int
    end: int
    kind: str
    stand_in: str


@dataclass(frozen=True)
class _Known:
    kind: str
    original: str
    stand_in: str
    tail: str
    """What follows the last word: the point of "Acme Inc."."""


class Names:
    """What is known of a set: originals, each with its stand-in.

    A search takes a few look-ups a word, however much is known; memory holds each original once.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], _Known] = {}
        self._lengths: dict[str, list[int]] = {}
        """Words of what begins with a word, the most first."""

    def add(self, kind: str, original: str, stand_in: str) -> None:
        """Know an original of a kind; one without a word is passed over."""
        found = list(_WORD.finditer(original))
        if found:
            words = tuple(_fold(word[0]) for word in found)
            known = _Known(kind, original.strip(), stand_in, original.rstrip()[found[-1].end() :])
            self._known.setdefault(words, known)
            lengths = {*self._lengths.get(words[0], ()), len(words)}
            self._lengths[words[0]] = sorted(lengths, reverse=True)

    def find(self, text: str) -> Iterator[Mention]:
        """Every known original in a text, the longest at each place.

        A single word must be written as it is known, or begin with a capital: "Apple" is not in "apple pie".
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
                    yield Mention(words[index].start(), end, known.kind, known.stand_in)
                    break


def _fold(word: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", word).casefold())


def replace(text: str, mentions: Iterable[Mention]) -> tuple[str, list[str]]:
    """The text with every mention replaced once, the first and longest where they overlap; their kinds.

    A stand-in is never looked at again: it could be another's original.
    """
    done, kinds, position = [], [], 0
    for mention in sorted(mentions, key=lambda mention: (mention.start, -mention.end)):
        if mention.start >= position:
            done += [text[position : mention.start], mention.stand_in]
            kinds.append(mention.kind)
            position = mention.end
    return "".join([*done, text[position:]]), kinds
