"""One document leaf by leaf: what is right, and what both models read."""

from dataclasses import dataclass
from typing import Any

from finscribe_trainer.documents.paths import leaves
from finscribe_trainer.evaluation.compare import Reading
from finscribe_trainer.metrics.alignment import align
from finscribe_trainer.metrics.answer import read_answer
from finscribe_trainer.metrics.normal_form import normalise_text
from finscribe_trainer.metrics.score import TEXT_FIELD


@dataclass(frozen=True)
class Leaf:
    """A value of the right answer, and what was read in its place; None is nothing."""

    path: str
    gold: str
    base: str | None
    tuned: str | None

    @property
    def base_right(self) -> bool:
        """True when the base model read it."""
        return self.base == self.gold

    @property
    def tuned_right(self) -> bool:
        """True when the tuned model read it."""
        return self.tuned == self.gold

    @property
    def differs(self) -> bool:
        """True when a model did not read it."""
        return not (self.base_right and self.tuned_right)


@dataclass(frozen=True)
class SideBySide:
    """A document as both models read it, in the form in which field accuracy compares values."""

    leaves: tuple[Leaf, ...]
    """In the right answer's order."""
    base_extra: int
    """Values that the base model wrote in no place of the right answer."""
    tuned_extra: int
    """Likewise, of the tuned model."""


def side_by_side(reading: Reading) -> SideBySide:
    """The leaves of the right answer with those that the models wrote in their places."""
    gold = read_answer(reading.base.gold)
    if not gold.strict or not isinstance(gold.raw, dict | list):
        texts = (reading.base.gold, reading.base.predicted, reading.tuned.predicted)
        return SideBySide((Leaf(TEXT_FIELD, *(normalise_text(text) for text in texts)),), 0, 0)
    base, tuned = (read_answer(record.predicted).value for record in (reading.base, reading.tuned))
    aligned = zip(align(gold.value, base), align(gold.value, tuned), strict=True)
    found = tuple(Leaf(path, value, was, now) for (path, value, was), (_, _, now) in aligned)
    return SideBySide(
        found,
        _count(base) - sum(leaf.base is not None for leaf in found),
        _count(tuned) - sum(leaf.tuned is not None for leaf in found),
    )


def _count(value: Any) -> int:
    return sum(1 for _ in leaves(value))
