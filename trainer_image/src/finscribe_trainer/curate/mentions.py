"""Finds known names in free text, however they are spaced or capitalised there."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_WORD = re.compile(r"\w+")


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

    A search costs time linear in the text, whatever is known; memory holds each original once.
    """

    def __init__(self) -> None:
        self._by_first: dict[str, dict[tuple[str, ...], _Known]] = {}

    def add(self, kind: str, original: str, stand_in: str) -> None:
        """Know an original of a kind; one without a word is passed over."""
        found = list(_WORD.finditer(original))
        if found:
            words = tuple(word[0].casefold() for word in found)
            known = _Known(kind, original.strip(), stand_in, original.rstrip()[found[-1].end() :])
            self._by_first.setdefault(words[0], {}).setdefault(words, known)

    def find(self, text: str) -> Iterator[Mention]:
        """Every known original in a text, the longest at each place.

        A single word must be written as it is known, or all in capitals: "Apple" is not in "apple juice".
        """
        words = list(_WORD.finditer(text))
        folded = [word[0].casefold() for word in words]
        for index, first in enumerate(folded):
            matching = [
                key
                for key, known in self._by_first.get(first, {}).items()
                if tuple(folded[index : index + len(key)]) == key
                and (len(key) > 1 or words[index][0] in known.original or words[index][0].isupper())
            ]
            if matching:
                longest = max(matching, key=len)
                known = self._by_first[first][longest]
                end = words[index + len(longest) - 1].end()
                end += len(known.tail) if text.startswith(known.tail, end) else 0
                yield Mention(words[index].start(), end, known.kind, known.stand_in)


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
