"""Tests, field by field, that one model reads no worse than another by more than a margin."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from finscribe_trainer.metrics.ratio import Ratio

LEVEL = 0.05
"""Largest probability that a field passes although it fell by the margin."""
_QUANTILE = NormalDist().inv_cdf(1 - LEVEL)
RARE_FIELDS = "fields in few documents"
"""Name of the fields that are tested together."""

Vector = npt.NDArray[np.float64]
Fields = Mapping[str, Ratio]
"""The fields of a document, with their numbers of correct and of all values."""


@dataclass(frozen=True)
class FieldChange:
    """The accuracy of a field, or of all rare ones together, with both models on the same documents."""

    name: str
    before: float
    after: float
    low: float
    """Lower bound of `after - before`: it is less with a probability of at most LEVEL."""
    documents: int
    """Number of documents that have the field."""

    @property
    def change(self) -> float:
        """After minus before, from -1 to 1."""
        return self.after - self.before


@dataclass(frozen=True)
class FieldChanges:
    """The changes of all fields that the documents suffice for."""

    tested: tuple[FieldChange, ...]
    """The one with the lowest bound first."""
    together: tuple[str, ...]
    """The fields that RARE_FIELDS stands for."""
    untested: tuple[str, ...]
    """The fields that occur, even together, in too few documents."""

    def below(self, margin: float) -> tuple[FieldChange, ...]:
        """Those that may have fallen by more than the margin."""
        return tuple(change for change in self.tested if change.low < -margin)


def documents_needed(margin: float) -> int:
    """The documents with which a field whose values are all read as before passes.

    Among fewer, a fall by the margin shows in no document with a probability of more than LEVEL.

    >>> documents_needed(0.05), documents_needed(0.1)
    (59, 29)
    """
    return math.ceil(math.log(LEVEL) / math.log(1 - margin))


def field_changes(before: Sequence[Fields], after: Sequence[Fields], margin: float) -> FieldChanges:
    """Compare the fields of the same documents in the same order.

    All fields have to pass, so the probability that a model passes of which one has fallen by the margin is
    at most LEVEL however many fields there are: no correction for their number is needed.

    Args:
        before: the fields of each document with the other model; those of its ground truth.
        after: the same with the model that is tested.
        margin: the fall that is tested for, above 0 and below 1.
    """
    names = sorted({name for fields in before for name in fields})
    rows = {name: [index for index, fields in enumerate(before) if name in fields] for name in names}
    rare = [name for name in names if len(rows[name]) < documents_needed(margin)]
    tested = [_compare(name, [name], rows[name], before, after) for name in names if name not in rare]
    together = sorted({index for name in rare for index in rows[name]})
    enough = len(together) >= documents_needed(margin)
    if enough:
        tested.append(_compare(RARE_FIELDS, rare, together, before, after))
    return FieldChanges(
        tuple(sorted(tested, key=lambda change: (change.low, change.name))),
        together=tuple(rare) if enough else (),
        untested=() if enough else tuple(rare),
    )


def _compare(
    name: str, fields: Sequence[str], rows: Sequence[int], before: Sequence[Fields], after: Sequence[Fields]
) -> FieldChange:
    was, now = (
        np.array(
            [[sum(model[row][field][part] for field in fields if field in model[row]) for part in (0, 1)]
             for row in rows],
            np.float64,
        )
        for model in (before, after)
    )  # fmt: skip
    total = was[:, 1].sum()
    low = _lower_bound(now[:, 0] - was[:, 0], was[:, 1])
    share, share_now = (float(model[:, 0].sum() / total) for model in (was, now))
    return FieldChange(name, share, share_now, low, len(rows))


def _lower_bound(changes: Vector, values: Vector) -> float:
    """One-sided bound of a ratio of sums over documents, by its linearization.

    Two documents are added, of which one is gained and one is lost. Without them, documents that all stay
    as they are would have no variance. For fields with one value per document this is the interval of
    Bonett and Price (2012) for paired proportions.
    """
    typical = values.mean()
    changes, values = np.append(changes, [typical, -typical]), np.append(values, [typical, typical])
    change = changes.sum() / values.sum()
    residuals = (changes - change * values) / typical
    error = math.sqrt((residuals**2).sum()) / len(values)
    return float(change - _QUANTILE * error)
