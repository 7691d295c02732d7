"""From losses at rising learning rates to a suggestion. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d, median_filter

FEWEST_STEPS = 10
"""Fewer losses say nothing."""
DIVERGED = 4.0
"""The loss has diverged once it is so many times its best (fastai's limit, too)."""
_MARGIN = 3.0
"""The suggestion is at most the rate from which the loss rises, divided by this: about half a decade."""
_SMOOTHING = 0.03
"""Standard deviation of the smoothing window, as a share of the steps planned."""
_PART = 0.5
"""A rise ends the fall when so much of all fall is before it, and when it undoes so much of that."""
_ODD_BATCHES = 7
"""Steps whose median tells a loss that rises from a batch that is odd."""
_HIGHEST = 1.0
"""No training takes a higher learning rate (`training.learning_rate`)."""
_LEAST_FALL = 0.01
"""A fall of the loss by a smaller share is none ..."""
_LEAST_FALL_OF_NOISE = 1.5
"""... and so is one by fewer standard deviations of a step's loss: flat curves fall so by chance."""


@dataclass(frozen=True)
class Curve:
    """What a range test came to."""

    learning_rates: tuple[float, ...]
    """Of each step taken."""
    losses: tuple[float, ...]
    """Loss of each step's batches, before the step was taken."""
    smoothed: tuple[float, ...]
    """The same under a Gaussian window, which shifts nothing to the right as a running mean would."""
    diverged: bool
    """True when the test ended because the loss grew without bounds."""
    suggestion: float | None
    """The learning rate to begin with; None where the curve names none."""
    steepest: float | None
    """Where the smoothed loss falls most steeply."""
    rises_from: float | None
    """Where it first rises clearly, else where it is lowest; None when it still falls at the end."""
    message: str
    """How the suggestion was found, or why there is none."""


class Divergence:
    """Whether a loss has grown without bounds, told step by step.

    It looks at a running mean (Adam's, corrected for its start), so that one odd batch ends nothing.
    """

    def __init__(self) -> None:
        self._mean, self._steps, self._best = 0.0, 0, math.inf

    def observe(self, loss: float) -> bool:
        """Count a step's loss; True once it is over."""
        self._steps += 1
        self._mean = 0.9 * self._mean + 0.1 * loss
        mean = self._mean / (1 - 0.9**self._steps)
        self._best = min(self._best, mean)
        return self._steps > FEWEST_STEPS and mean > DIVERGED * self._best


def analyse(
    learning_rates: Sequence[float], losses: Sequence[float], num_planned: int, *, diverged: bool
) -> Curve:
    """The curve of a range test, and what it suggests.

    Args:
        learning_rates: of each step, rising.
        losses: of each step, finite.
        num_planned: steps that the whole test has.
        diverged: whether the loss ended it.
    """
    smoothed = smooth(losses, num_planned)
    found: dict[str, float | None] = {"suggestion": None, "steepest": None, "rises_from": None}
    first = _first(losses, smoothed, num_planned)
    may_go_on = len(losses) > 0 and learning_rates[-1] < _HIGHEST
    message = _refusal(losses, smoothed, first, may_go_on=may_go_on)
    if message is None:
        calm = smooth(median_filter(losses, _ODD_BATCHES, mode="nearest").tolist(), num_planned)
        lowest = _first_bottom(calm, first, _clear(losses, first)) or int(smoothed.argmin())
        steepest = learning_rates[_steepest(smoothed[: lowest + 1], first)]
        turned = diverged or lowest < len(smoothed) - 2
        rises_from = learning_rates[lowest] if turned else None
        suggestion = steepest if rises_from is None else min(steepest, rises_from / _MARGIN)
        found = {"suggestion": float(f"{suggestion:.2g}"), "steepest": steepest, "rises_from": rises_from}
        message = _explanation(steepest, rises_from, suggestion, may_go_on=may_go_on)
    return Curve(
        tuple(learning_rates), tuple(losses), tuple(smoothed.tolist()), diverged, message=message, **found
    )


def smooth(losses: Sequence[float], num_planned: int) -> npt.NDArray[np.float64]:
    """The losses under a Gaussian window.

    Before, they are cut off at twice the first ones: a loss that explodes must not lift those before it.
    """
    values = np.asarray(losses, np.float64)
    if len(values) == 0:
        return values
    bound = 2 * np.median(values[:FEWEST_STEPS])
    window = gaussian_filter1d(np.minimum(values, bound), max(1.0, _SMOOTHING * num_planned), mode="nearest")
    return np.asarray(window, np.float64)


def _first(losses: Sequence[float], smoothed: npt.NDArray[np.float64], num_planned: int) -> float:
    """The loss before it falls: the mean of the first fifth, or of what is before the lowest."""
    if len(losses) == 0:
        return 0.0
    return float(np.mean(losses[: max(3, min(int(smoothed.argmin()), num_planned // 5))]))


def _steepest(falling: npt.NDArray[np.float64], first: float) -> int:
    """The step at which the smoothed loss falls most; its wavering before the fall proper is passed over."""
    begun = first - 0.1 * (first - falling[-1])
    before = np.flatnonzero(falling[:-1] >= begun)
    begin = int(before[-1]) if len(before) else 0
    return begin + int(np.gradient(falling[begin:]).argmin())


def _first_bottom(calm: npt.NDArray[np.float64], first: float, clear: float) -> int | None:
    """The step from which the loss first rises clearly, though it may fall again; None when it never does.

    Beyond it nothing is to be counted on, however low the loss gets. Only a bottom after most of the fall is
    one, and only a rise that undoes a good part of that.

    Args:
        calm: the smoothed loss without its odd batches, which rise and fall, too.
        first: the loss before it falls.
        clear: the least change that is one.
    """
    deepest = int(calm.argmin())
    lowest = 0
    for step in range(deepest):
        if calm[step] < calm[lowest]:
            lowest = step
        fall, rise = first - calm[lowest], calm[step] - calm[lowest]
        most = lowest > 1 and fall >= _PART * (first - calm[deepest])
        if most and rise >= max(clear, _PART * fall):
            return lowest
    return None


def _clear(losses: Sequence[float], first: float) -> float:
    """The least change that is one."""
    noise = 1.05 * float(np.median(np.abs(np.diff(losses))))  # a normal's standard deviation, steps apart
    return max(_LEAST_FALL_OF_NOISE * noise, _LEAST_FALL * first)


def _refusal(
    losses: Sequence[float], smoothed: npt.NDArray[np.float64], first: float, *, may_go_on: bool
) -> str | None:
    """Why no learning rate is suggested; None when one is."""
    if len(losses) < FEWEST_STEPS:
        return f"{len(losses)} steps are too few to tell anything: {FEWEST_STEPS} are needed."
    lowest = int(smoothed.argmin())
    if lowest > 1 and first - smoothed[lowest] >= _clear(losses, first):
        return None
    if smoothed.max() - smoothed[lowest] > first:
        return "The loss rises, and falls nowhere before: lower --start-lr."
    higher = "--end-lr, " if may_go_on else ""
    return (
        f"The loss falls nowhere by more than it differs between batches: raise {higher}--num-steps, or "
        "the batch (training.gradient_accumulation_steps)."
    )


def _explanation(steepest: float, rises_from: float | None, suggestion: float, *, may_go_on: bool) -> str:
    if rises_from is None:
        higher = ": raise --end-lr" if may_go_on else ""
        return f"The loss falls most steeply at {steepest:.2g}, and still falls at the end{higher}."
    said = f"The loss falls most steeply at {steepest:.2g} and rises from {rises_from:.2g} on"
    return (
        f"{said}." if suggestion == steepest else f"{said}; a third of that is safer than the steepest point."
    )
