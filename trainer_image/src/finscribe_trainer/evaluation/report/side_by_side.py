"""Aligns the values of a document's ground truth with those of both models' answers."""

from dataclasses import dataclass
from typing import Any

from finscribe_trainer.documents.paths import leaves
from finscribe_trainer.evaluation.compare import DocumentComparison
from finscribe_trainer.metrics.alignment import align
from finscribe_trainer.metrics.answer_parsing import parse_answer
from finscribe_trainer.metrics.normalization import normalize_text
from finscribe_trainer.metrics.score import TEXT_FIELD


@dataclass(frozen=True)
class Leaf:
    """A value of the ground truth with the models' values at its place; None if missing.

    Values are in the normal form in which field accuracy compares them.
    """

    path: str
    gold: str
    base: str | None
    tuned: str | None

    @property
    def base_correct(self) -> bool:
        """Whether the base model's value is correct."""
        return self.base == self.gold

    @property
    def tuned_correct(self) -> bool:
        """Whether the tuned model's value is correct."""
        return self.tuned == self.gold

    @property
    def differs(self) -> bool:
        """Whether at least one model's value is wrong or missing."""
        return not (self.base_correct and self.tuned_correct)


@dataclass(frozen=True)
class SideBySide:
    """The aligned values of a document."""

    leaves: tuple[Leaf, ...]
    """In the order of the ground truth."""
    base_extra: int
    """Number of the base model's values that the ground truth does not have."""
    tuned_extra: int
    """Number of the tuned model's values that the ground truth does not have."""
    base_text: str | None = None
    """The base model's answer, where it has no JSON, so that none of its values can be aligned."""
    tuned_text: str | None = None
    """The same of the tuned model."""


def side_by_side(document: DocumentComparison) -> SideBySide:
    """Align ground truth and both answers; a ground truth that is not a JSON object is one text value."""
    gold = parse_answer(document.base.gold)
    if not gold.strict or not isinstance(gold.raw, dict | list):
        texts = (document.base.gold, document.base.predicted, document.tuned.predicted)
        return SideBySide((Leaf(TEXT_FIELD, *(normalize_text(text) for text in texts)),), 0, 0)
    answers = [parse_answer(record.predicted) for record in (document.base, document.tuned)]
    base, tuned = (answer.value for answer in answers)
    aligned = zip(align(gold.value, base), align(gold.value, tuned), strict=True)
    found = tuple(Leaf(path, value, was, now) for (path, value, was), (_, _, now) in aligned)
    return SideBySide(
        found,
        _count(base) - sum(leaf.base is not None for leaf in found),
        _count(tuned) - sum(leaf.tuned is not None for leaf in found),
        *(
            None if answer.readable else record.predicted
            for answer, record in zip(answers, (document.base, document.tuned), strict=True)
        ),
    )


def _count(value: Any) -> int:
    return sum(1 for _ in leaves(value))
