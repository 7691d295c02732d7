"""Chooses the confidence from which on documents need no human, with a promise of how many are right."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import stats

PRECISIONS = (0.95, 0.99)
"""Shares of right documents, among those that no human looks at, that thresholds are chosen for."""
RISK = 0.01
"""Largest probability that the promise is broken, over the validation documents that were drawn.

With it, 19 of 20 trainings keep their promise with a probability of 98 %.
"""
_FIRST_STEP = 0.1
"""Share of the documents that the first test accepts, if that many suffice."""


@dataclass(frozen=True)
class Threshold:
    """A confidence above which documents need no human."""

    precision: float
    """The share of them that is promised to be right."""
    above: float
    """Documents with a higher confidence are accepted."""
    accepted: int
    """Validation documents above it."""
    errors: int
    """Those of them that are not right."""


@dataclass(frozen=True)
class Share:
    """A share of documents with its exact 95 % interval (Clopper and Pearson 1934), each from 0 to 1."""

    value: float
    low: float
    high: float
    count: int
    """Documents that it counts."""
    documents: int
    """Of how many."""


def share(count: int, documents: int) -> Share:
    """The share of `count` among `documents`; 0 of 0 may be anything."""
    if documents == 0:
        return Share(0.0, 0.0, 1.0, 0, 0)
    low = float(stats.beta.ppf(0.025, count, documents - count + 1)) if count else 0.0
    high = float(stats.beta.ppf(0.975, count + 1, documents - count)) if count < documents else 1.0
    return Share(count / documents, low, high, count, documents)


@cache
def documents_needed(precision: float, errors: int = 0) -> int:
    """Documents of which at most this many may be wrong for a precision to be promised.

    >>> documents_needed(0.95), documents_needed(0.99), documents_needed(0.95, errors=1)
    (90, 459, 130)
    """
    count = errors + 1
    while stats.binom.cdf(errors, count, 1 - precision) > RISK:
        count += 1
    return count


def choose_threshold(
    confidences: Sequence[float], right: Sequence[bool], precision: float
) -> Threshold | None:
    """The lowest threshold for which the precision is promised; None if no threshold reaches it.

    The promise: with a probability of at least 1 - RISK over the documents given here, at least this share of
    all documents above the threshold is right, if they are drawn like these. It needs no assumption on the
    model or on its confidence.

    From the highest confidence on, more and more documents are accepted, and each step tests by the binomial
    distribution that the precision is reached. The first test that does not show it ends the sequence, so
    that no correction for their number is needed (fixed sequence testing, as in "Learn then test",
    Angelopoulos et al. 2021). Where the sequence begins depends on the number of documents alone.

    Args:
        confidences: of each document; a document with 0 is never accepted.
        right: whether all values of its answer are right.
        precision: above 0 and below 1.
    """
    order = np.argsort(-np.asarray(confidences, np.float64), kind="stable")
    ordered = np.append(np.asarray(confidences, np.float64)[order], 0.0)
    counts = _steps(ordered, _first(len(order), precision))
    errors = np.cumsum(~np.asarray(right, bool)[order])[counts - 1]
    shown = np.asarray(stats.binom.cdf(errors, counts, 1 - precision) <= RISK)
    passed = int(np.argmin(shown)) if not shown.all() else len(shown)
    if passed == 0:
        return None
    count = int(counts[passed - 1])
    return Threshold(precision, float(ordered[count]), count, int(errors[passed - 1]))


def _first(documents: int, precision: float) -> int:
    """Documents that the first test accepts: enough for one error, unless that is more than half of them."""
    without, with_one = documents_needed(precision), documents_needed(precision, errors=1)
    enough = with_one if with_one <= documents / 2 else without
    return max(enough, int(_FIRST_STEP * documents))


def _steps(ordered: npt.NDArray[np.float64], first: int) -> npt.NDArray[np.intp]:
    """Numbers of accepted documents, from `first` on: those between which the confidence differs."""
    counts = np.flatnonzero(ordered[:-1] > ordered[1:]) + 1
    return counts[counts >= first]
