"""Splits the errors of an answer by kind: values that are missing, wrong, or invented."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from finscribe_trainer.documents.paths import field_of
from finscribe_trainer.metrics.alignment import field_pairs
from finscribe_trainer.metrics.fields import Leaves, writable


class ErrorCounts(NamedTuple):
    """Numbers of errors by kind."""

    missing: int
    """Values of the ground truth that the answer does not have."""
    wrong: int
    """Values of the ground truth in whose place the answer has another one."""
    invented: int
    """Values of the answer that the ground truth does not have."""


def count_errors(leaves: Leaves, predicted: Any) -> dict[str, ErrorCounts]:
    """The errors of each field, without list indices; fields without an error are left out.

    Args:
        leaves: the ground truth with the answer's values, as `align` yields them.
        predicted: the normalized answer.
    """
    missing = Counter(field_of(path) for path, _, value in leaves if value is None)
    wrong = Counter(field_of(path) for path, gold, value in leaves if value is not None and value != gold)
    invented = Counter(field[1:] for field, _ in field_pairs(predicted))
    invented.subtract(field_of(path) for path, _, value in leaves if value is not None)
    found: Counter[str] = missing + wrong + invented
    return {writable(name): ErrorCounts(missing[name], wrong[name], invented[name]) for name in found}


def sum_errors(counts: Iterable[ErrorCounts]) -> ErrorCounts:
    """The sum of each kind."""
    rows = list(counts)
    return ErrorCounts(*(sum(kind) for kind in zip(*rows, strict=True))) if rows else ErrorCounts(0, 0, 0)
