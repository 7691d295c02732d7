"""How fast steps go by, and so how long the rest takes."""

from collections.abc import Callable


class SpeedMeter:
    """Smoothed seconds per step, counting only the time spent training.

    An exponential moving average with bias correction (as Adam's, arXiv 1412.6980, section 3): the first
    steps weigh as much as they should, and one slow step does not upset the estimate. The first step
    reported is only where counting begins, so steps taken before a resume don't count as speed.
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
        """Training goes on from here."""
        if self._training_since is None:
            self._training_since = self._clock()

    def pause(self) -> None:
        """What follows (an evaluation, an upload) is not training time."""
        if self._training_since is not None:
            self._elapsed += self._clock() - self._training_since
            self._training_since = None

    def step(self, step: int) -> float | None:
        """Note that `step` was taken; returns the seconds each step since the last call took, if known."""
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
        """Seconds of training that so many steps take; None before the first measured step."""
        return round(self._average / self._weight * num_steps) if self._weight else None
