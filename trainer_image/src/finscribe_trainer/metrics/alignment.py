"""Aligns the leaf values of a predicted answer with those of the ground truth."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_ITEM_PAIRS = 250_000
"""Items of one list times items of the other; beyond, items are paired by position."""


def align(gold: Any, predicted: Any, path: str = "") -> Iterator[tuple[str, str, str | None]]:
    """Yield each leaf of the ground truth: its path, its value, and the aligned predicted value or None.

    Objects are compared key by key. Items of two lists are paired in order such that the number of equal
    (field, value) pairs is maximal and, among those pairings, the number of paired items: a missing or
    additional line does not shift the lines below it. Beyond MAX_ITEM_PAIRS items are paired by position,
    which is also a pairing in order and can only lower the score.

    Args:
        gold: the normalized ground truth.
        predicted: the normalized prediction, or None.
        path: path of both in their documents.

    >>> list(align({"a": ["x", "y"]}, {"a": ["y"]}))
    [('a[0]', 'x', None), ('a[1]', 'y', 'y')]
    """
    if isinstance(gold, dict):
        other = predicted if isinstance(predicted, dict) else {}
        for key, value in gold.items():
            yield from align(value, other.get(key), f"{path}.{key}" if path else key)
    elif isinstance(gold, list):
        items = predicted if isinstance(predicted, list) else []
        partners = pair_items(gold, items)
        for index, value in enumerate(gold):
            partner = partners[index]
            yield from align(value, None if partner is None else items[partner], f"{path}[{index}]")
    elif gold is not None:
        yield path, gold, predicted if isinstance(predicted, str) else None


def pair_items(gold: list[Any], predicted: list[Any]) -> list[int | None]:
    """For each item of one list the index of its partner in the other, in increasing order, or None."""
    rows, columns = len(gold), len(predicted)
    if gold == predicted:
        return list(range(rows))
    if rows * columns > MAX_ITEM_PAIRS:
        return [index if index < columns else None for index in range(rows)]
    a, b = ([frozenset(field_pairs(item)) for item in items] for items in (gold, predicted))
    # One equal (field, value) pair outweighs any number of paired items without one.
    unit = rows + columns + 1
    gains = np.array([[len(x & y) * unit + 1 for y in b] for x in a], dtype=np.int64).reshape(rows, columns)
    best = np.zeros((rows + 1, columns + 1), dtype=np.int64)
    for row in range(rows):
        best[row + 1, 1:] = np.maximum(best[row, 1:], best[row, :-1] + gains[row])
        np.maximum.accumulate(best[row + 1], out=best[row + 1])
    return _trace(best)


def _trace(best: npt.NDArray[np.int64]) -> list[int | None]:
    """Trace the optimal pairing back from the table of maximal gains, shape (rows + 1, columns + 1)."""
    row, column = best.shape[0] - 1, best.shape[1] - 1
    partners: list[int | None] = [None] * row
    while row and column:
        if best[row, column] == best[row, column - 1]:
            column -= 1
        elif best[row, column] == best[row - 1, column]:
            row -= 1
        else:
            row, column = row - 1, column - 1
            partners[row] = column
    return partners


def field_pairs(value: Any, field: str = "") -> Iterator[tuple[str, str]]:
    """(field, value) of every leaf, without list indices."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from field_pairs(item, f"{field}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from field_pairs(item, field)
    elif value is not None:
        yield field, value
