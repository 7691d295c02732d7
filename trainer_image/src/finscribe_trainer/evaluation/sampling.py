"""Draws a reproducible sample of documents, spread evenly over a test set."""

import random
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")

_SEED = 0
"""The same for all runs: metrics of two runs or models are comparable only on the same documents."""


def sample_evenly(items: Sequence[T], count: int) -> list[T]:
    """One random item from each of `count` strata of equal size, in order; all items if there are fewer.

    Test sets are often sorted by supplier or document type: strata cover all of them.
    """
    if count >= len(items):
        return list(items)
    if count == 0:
        return []
    rng = random.Random(_SEED)  # noqa: S311 - a sample, not a secret
    bounds = [len(items) * i // count for i in range(count + 1)]
    return [items[rng.randrange(low, high)] for low, high in pairwise(bounds)]
