"""Notices that a step, or a batch of an evaluation, takes longer than it may."""

import faulthandler
import threading
from collections.abc import Callable

_STDERR = 2


class Watchdog:
    """Knows what the run does now, since when, and how long that may take.

    Whatever outlives its time has the stacks of all threads written to the log, once: by a timer of Python's
    own that needs no interpreter, so that it goes off even where one thread holds that for good.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._what: str | None = None
        self._since = 0.0
        self.timeout: float | None = None
        """Seconds; nothing is watched when None."""

    def doing(self, what: str | None) -> None:
        """From now on the run does something else; None when that may take as long as it takes."""
        with self._lock:
            self._what, self._since = what, self._clock()
        if what is None or self.timeout is None:
            faulthandler.cancel_dump_traceback_later()
        else:
            faulthandler.dump_traceback_later(self.timeout, file=_STDERR)

    def hangs(self) -> str | None:
        """What hangs, and since when; None while all is well."""
        with self._lock:
            what, seconds = self._what, self._clock() - self._since
        if what is None or self.timeout is None or seconds < self.timeout:
            return None
        return f"{what} has not ended in {seconds:.0f} s; training.stepTimeoutSeconds is {self.timeout:.0f}"
