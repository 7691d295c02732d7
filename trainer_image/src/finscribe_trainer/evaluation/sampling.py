"""A sample of documents that is the same whenever it is drawn."""

import random
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")

_SEED = 0
"""One for all: figures of two runs or two models compare only on the same documents."""


def sample_evenly(items: Sequence[T], count: int) -> list[T]:
    """One item at random from each of `count` equal stretches, in order; all when there are no more.

    Sets are often sorted by supplier or kind: a stretch each takes from everywhere.
    """
    if count >= len(items):
        return list(items)
    if count == 0:
        return []
    rng = random.Random(_SEED)  # noqa: S311 - a sample, not a secret
    bounds = [len(items) * i // count for i in range(count + 1)]
    return [items[rng.randrange(low, high)] for low, high in pairwise(bounds)]
