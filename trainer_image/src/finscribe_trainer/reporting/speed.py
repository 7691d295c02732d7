"""Measures the training time per optimizer step and estimates the remaining time (ETA)."""

from collections.abc import Callable


class SpeedMeter:
    """Smoothed seconds per step, counting only time spent training.

    An exponential moving average with bias correction (as Adam's, arXiv 1412.6980, section 3): the first
    steps are not biased towards 0, and one slow step does not dominate the estimate. The first call of `step`
    only sets where counting starts, so steps taken before a resume don't count.

    Args:
        clock: monotonic clock, in seconds.
        smoothing: weight of the previous average, from 0 to 1.
    """

    def __init__(self, clock: Callable[[], float], smoothing: float = 0.95) -> None:
        self._clock = clock
        self._smoothing = smoothing
        self._average = 0.0
        self._weight = 0.0
        self._step: int | None = None
        self._training_since: float | None = None
        self._elapsed = 0.0

    def start(self) -> None:
        """Start or resume measuring."""
        if self._training_since is None:
            self._training_since = self._clock()

    def pause(self) -> None:
        """Pause measuring, for time that is not training: an evaluation, an upload."""
        if self._training_since is not None:
            self._elapsed += self._clock() - self._training_since
            self._training_since = None

    def step(self, step: int) -> float | None:
        """Record that `step` is complete; returns the mean seconds per step since the last call, if known."""
        was_training = self._training_since is not None
        self.pause()
        if was_training:
            self.start()
        num_steps = 0 if self._step is None else step - self._step
        self._step, elapsed, self._elapsed = step, self._elapsed, 0.0
        if num_steps <= 0:
            return None
        seconds = elapsed / num_steps
        for _ in range(min(num_steps, 1000)):
            self._average = self._smoothing * self._average + (1 - self._smoothing) * seconds
            self._weight = self._smoothing * self._weight + (1 - self._smoothing)
        return seconds

    def seconds_for(self, num_steps: int) -> int | None:
        """Estimated seconds of training for `num_steps` steps; None before the first measured step."""
        return round(self._average / self._weight * num_steps) if self._weight else None
