"""Finds the characters in which a value differs from its ground truth."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

_MAX_CHARACTERS = 400
"""The time grows with the square of the length; a longer value is marked as a whole."""
_MIN_LIKENESS = 0.4
"""Values that are less alike are other values: single equal characters in them say nothing."""


@dataclass(frozen=True)
class Part:
    """A part of an answer's value."""

    text: str
    kind: Literal["same", "other", "missing"]
    """`other` is not in the ground truth; `missing` is in the ground truth only."""


def differing_parts(gold: str, answer: str) -> list[Part]:
    """The answer's parts in order, with those of the ground truth that it lacks.

    >>> [(part.text, part.kind) for part in differing_parts("12.50", "12.60")]
    [('12.', 'same'), ('6', 'other'), ('0', 'same')]
    >>> [(part.text, part.kind) for part in differing_parts("Acme Ltd", "Acme")]
    [('Acme', 'same'), (' Ltd', 'missing')]
    """
    if answer == gold:
        return [Part(answer, "same")]
    if max(len(gold), len(answer)) > _MAX_CHARACTERS:
        return [Part(answer, "other")]
    matcher = SequenceMatcher(None, gold, answer, autojunk=False)
    if matcher.ratio() < _MIN_LIKENESS:
        return [Part(answer, "other")]
    return [part for part in _parts(matcher, gold, answer) if part.text]


def _parts(matcher: "SequenceMatcher[str]", gold: str, answer: str) -> Iterator[Part]:
    for kind, gold_start, gold_end, start, end in matcher.get_opcodes():
        if kind == "delete":
            yield Part(gold[gold_start:gold_end], "missing")
        else:
            yield Part(answer[start:end], "same" if kind == "equal" else "other")
