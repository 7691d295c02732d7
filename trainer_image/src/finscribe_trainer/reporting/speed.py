"""Measures the training time per optimizer step, and smooths what is measured step by step."""

from collections.abc import Callable


class Smoothed:
    """An exponential moving average with bias correction (as Adam's, arXiv 1412.6980, section 3): the first
    values are not biased towards 0, and one unusual value does not dominate the average.

    Args:
        smoothing: weight of the previous average, from 0 to 1.
    """

    def __init__(self, smoothing: float = 0.95) -> None:
        self._smoothing = smoothing
        self._average = 0.0
        self._weight = 0.0

    def add(self, value: float, times: int = 1) -> None:
        """Add a value that was measured `times` times in a row."""
        kept = self._smoothing ** min(times, 1000)
        self._average = kept * self._average + (1 - kept) * value
        self._weight = kept * self._weight + (1 - kept)

    @property
    def value(self) -> float | None:
        """The average; None before the first value."""
        return self._average / self._weight if self._weight else None


class StepTimer:
    """Seconds per optimizer step, counting only time spent training.

    The first call of `step` only sets where counting starts, so steps taken before a resume don't count.

    Args:
        clock: monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._step: int | None = None
        self._training_since: float | None = None
        self._elapsed = 0.0
        self.total = 0.0
        """Seconds of all measured steps, and of those before a resume if it was set to them."""

    def start(self) -> None:
        """Start or resume measuring."""
        if self._training_since is None:
            self._training_since = self._clock()

    def pause(self) -> None:
        """Pause measuring, for time that is not training: an evaluation, an upload."""
        if self._training_since is not None:
            self._elapsed += self._clock() - self._training_since
            self._training_since = None

    def step(self, step: int) -> tuple[int, float]:
        """Record that `step` is complete; returns the steps since the last call, and the seconds of each."""
        was_training = self._training_since is not None
        self.pause()
        if was_training:
            self.start()
        num_steps = 0 if self._step is None else step - self._step
        self._step, elapsed, self._elapsed = step, self._elapsed, 0.0
        if num_steps <= 0:
            return 0, 0.0
        self.total += elapsed
        return num_steps, elapsed / num_steps
