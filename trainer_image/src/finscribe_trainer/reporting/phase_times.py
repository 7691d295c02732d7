"""Measures how long a run is in each phase."""

from collections.abc import Callable

from finscribe_core.report import Phase


class PhaseTimes:
    """Seconds in each phase since this was created, in Starting.

    Args:
        clock: monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._phase = Phase.Starting
        self._entered = self._counted = clock()
        self._seconds: dict[Phase, float] = {Phase.Starting: 0.0}

    def enter(self, phase: Phase) -> float:
        """Begin a phase; returns the seconds of the phase that ends, since it was entered last."""
        self._count()
        seconds, self._entered = self._counted - self._entered, self._counted
        self._phase = phase
        self._seconds.setdefault(phase, 0.0)
        return seconds

    def read(self) -> dict[Phase, float]:
        """The seconds of each phase so far."""
        self._count()
        return dict(self._seconds)

    def _count(self) -> None:
        now = self._clock()
        self._seconds[self._phase] += now - self._counted
        self._counted = now
