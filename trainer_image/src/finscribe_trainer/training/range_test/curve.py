"""Suggests a learning rate from the losses of a range test. Pure.

The rule follows L. N. Smith, Cyclical Learning Rates for Training Neural Networks (arXiv 1506.01186, section
3.3), and Y. Bengio, Practical Recommendations for Gradient-Based Training of Deep Architectures (arXiv
1206.5533): the best rate is within a factor of two of the largest one with which the loss does not rise, and
the range of useful rates begins at a third of it. The largest rate is here also the one at which the loss
stops falling: with adapters of attention layers only it may not rise for long, at any rate. The rate of the
steepest fall, which other tools suggest, is far lower: docs/benchmarks.md compares both with ten rates.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d, median_filter

FEWEST_STEPS = 10
"""Minimum number of steps for a suggestion."""
DIVERGED = 4.0
"""The loss has diverged when it is this many times its minimum (as in fastai)."""
_BELOW_LARGEST = 2.0
"""The suggestion is the largest rate with which the loss does not rise, divided by this: the lower end of the
range in which the best rate is. At a rate that is a little too high a training can fail, at one that is a
little too low it only learns more slowly (docs/ablations.md)."""
_RANGE = 3.0
"""The suggested range begins at the largest rate divided by this."""
_SMOOTHING = 0.03
"""Standard deviation of the smoothing window, as a share of the planned steps."""
_FALLS = 0.05
"""The loss still falls if this share of its decrease so far came ..."""
_PATIENCE = 3.0
"""... while the learning rate rose by this factor."""
_MOST = 0.5
"""It has stopped only after this share of its decrease in the whole test: pauses before do not count."""
_RISES = 0.02
"""It rises when it is above its minimum by more than this share of its decrease."""
_OUTLIER_WINDOW = 7
"""Window of a median filter that removes outlier batches."""
_HIGHEST = 1.0
"""Upper limit of `training.learning_rate`."""
_LEAST_FALL = 0.01
"""A smaller relative decrease of the loss does not count ..."""
_LEAST_FALL_OF_NOISE = 1.5
"""... nor one by fewer standard deviations of a step's loss: it may be random variation."""


@dataclass(frozen=True)
class Curve:
    """Result of a range test."""

    learning_rates: tuple[float, ...]
    """Of each step."""
    losses: tuple[float, ...]
    """Training loss of each step, before its update."""
    smoothed: tuple[float, ...]
    """The losses under a Gaussian window, which has no lag, unlike a running mean."""
    diverged: bool
    """True when the test ended early because the loss diverged."""
    suggestion: float | None
    """The suggested learning rate; None when the curve allows none."""
    range: tuple[float, float] | None
    """The suggested range, to search further in; None when the curve allows none."""
    steepest: float | None
    """Learning rate at which the smoothed loss falls most steeply."""
    falls_until: float | None
    """Learning rate at which the loss stops falling; None when it still falls at the end."""
    message: str
    """Reason for the suggestion, or why there is none."""


class Divergence:
    """Detects a diverging loss, step by step.

    Uses a bias-corrected exponential moving average, so that one outlier batch does not end the test.
    """

    def __init__(self) -> None:
        self._mean, self._steps, self._best = 0.0, 0, math.inf

    def observe(self, loss: float) -> bool:
        """Add a step's loss; True once the loss has diverged."""
        self._steps += 1
        self._mean = 0.9 * self._mean + 0.1 * loss
        mean = self._mean / (1 - 0.9**self._steps)
        self._best = min(self._best, mean)
        return self._steps > FEWEST_STEPS and mean > DIVERGED * self._best


def analyse(
    learning_rates: Sequence[float], losses: Sequence[float], num_planned: int, *, diverged: bool
) -> Curve:
    """Analyse the losses of a range test.

    Args:
        learning_rates: of each step, increasing.
        losses: of each step, finite.
        num_planned: steps of the whole test.
        diverged: whether the test ended early because the loss diverged.
    """
    smoothed = smooth(losses, num_planned)
    found: dict[str, Any] = {"suggestion": None, "range": None, "steepest": None, "falls_until": None}
    first = _first(losses, smoothed, num_planned)
    can_be_raised = len(losses) > 0 and learning_rates[-1] < _HIGHEST
    message = _refusal(losses, smoothed, first, can_be_raised=can_be_raised)
    if message is None:
        kept = _before_divergence(losses, first)
        calm = smooth(median_filter(kept, _OUTLIER_WINDOW, mode="nearest").tolist(), num_planned)
        end = _end_of_fall(learning_rates, calm, first)
        steepest = learning_rates[_steepest(smoothed[: end + 1], first)]
        stopped = diverged or end < len(smoothed) - 2
        largest = learning_rates[end]
        found = {
            "suggestion": _rounded(largest / _BELOW_LARGEST),
            "range": (_rounded(largest / _RANGE), _rounded(largest)),
            "steepest": steepest,
            "falls_until": largest if stopped else None,
        }
        message = _explanation(found["range"], stopped=stopped, can_be_raised=can_be_raised)
    return Curve(
        tuple(learning_rates), tuple(losses), tuple(smoothed.tolist()), diverged, message=message, **found
    )


def smooth(losses: Sequence[float], num_planned: int) -> npt.NDArray[np.float64]:
    """The losses under a Gaussian window.

    They are clipped at twice the first ones before, so that a diverging loss does not raise its neighbours.
    """
    values = np.asarray(losses, np.float64)
    if len(values) == 0:
        return values
    bound = 2 * np.median(values[:FEWEST_STEPS])
    window = gaussian_filter1d(np.minimum(values, bound), max(1.0, _SMOOTHING * num_planned), mode="nearest")
    return np.asarray(window, np.float64)


def _before_divergence(losses: Sequence[float], first: float) -> Sequence[float]:
    """The losses without the last ones above the initial loss, which smoothing would spread."""
    end = len(losses)
    while losses[end - 1] > first:
        end -= 1
    return losses[:end]


def _first(losses: Sequence[float], smoothed: npt.NDArray[np.float64], num_planned: int) -> float:
    """The initial loss: the mean of the first fifth, or of all before the minimum."""
    if len(losses) == 0:
        return 0.0
    return float(np.mean(losses[: max(3, min(int(smoothed.argmin()), num_planned // 5))]))


def _steepest(falling: npt.NDArray[np.float64], first: float) -> int:
    """The step at which the smoothed loss falls most steeply; fluctuations before the fall are ignored."""
    begun = first - 0.1 * (first - falling[-1])
    before = np.flatnonzero(falling[:-1] >= begun)
    begin = int(before[-1]) if len(before) else 0
    return begin + int(np.gradient(falling[begin:]).argmin())


def _end_of_fall(rates: Sequence[float], calm: npt.NDArray[np.float64], first: float) -> int:
    """The last step before the loss rises, or has stopped falling though the learning rate rises further.

    Args:
        rates: learning rates of the steps.
        calm: the smoothed loss without outlier batches.
        first: the initial loss.
    """
    end = _stop_of_fall(rates, calm, first)
    lowest = int(calm[:end].argmin())
    allowed = calm[lowest] + _RISES * max(0.0, first - calm[lowest])
    rises = np.flatnonzero(calm[lowest:end] > allowed)
    return lowest + int(rises[0]) - 1 if len(rises) else end - 1


def _stop_of_fall(rates: Sequence[float], calm: npt.NDArray[np.float64], first: float) -> int:
    """The step at which it is clear that the loss has stopped falling; the number of steps if it never is.

    What comes later does not count: the loss may fall again, slowly, at rates that are far too high.
    """
    most = _MOST * (first - calm.min())
    reached = 0
    for step, loss in enumerate(calm):
        if calm[reached] - loss > _FALLS * (first - loss):
            reached = step
        elif first - calm[reached] >= most and rates[step] > _PATIENCE * rates[reached]:
            return step
    return len(calm)


def _clear(losses: Sequence[float], first: float) -> float:
    """The smallest change of the loss that counts."""
    noise = 1.05 * float(
        np.median(np.abs(np.diff(losses)))
    )  # standard deviation of normal noise, from differences between steps
    return max(_LEAST_FALL_OF_NOISE * noise, _LEAST_FALL * first)


def _refusal(
    losses: Sequence[float], smoothed: npt.NDArray[np.float64], first: float, *, can_be_raised: bool
) -> str | None:
    """Why no learning rate is suggested; None when one can be."""
    if len(losses) < FEWEST_STEPS:
        return f"{len(losses)} steps are too few: {FEWEST_STEPS} are needed."
    lowest = int(smoothed.argmin())
    if lowest > 1 and first - smoothed[lowest] >= _clear(losses, first):
        return None
    if smoothed.max() - smoothed[lowest] > first:
        return "The loss rises without falling before: lower --start-lr."
    higher = "--end-lr, " if can_be_raised else ""
    return (
        f"The loss does not fall by more than it varies between batches: raise {higher}--num-steps, or "
        "the batch (training.gradient_accumulation_steps)."
    )


def _explanation(useful: tuple[float, float], *, stopped: bool, can_be_raised: bool) -> str:
    low, high = useful
    if stopped:
        return f"The loss falls until {high:g}: useful learning rates are {low:g} to {high:g}."
    higher = ": raise --end-lr" if can_be_raised else ""
    return f"The loss still falls at the end{higher}. Useful learning rates are {low:g} to {high:g} or more."


def _rounded(rate: float) -> float:
    return float(f"{rate:.2g}")
