"""Detects a training step or evaluation batch that exceeds training.stepTimeoutSeconds."""

import faulthandler
import threading
from collections.abc import Callable

_STDERR = 2


class Watchdog:
    """Tracks the current activity, when it started, and its timeout.

    When an activity exceeds the timeout, the stacks of all threads are written to stderr, once. This is done
    by faulthandler's timer thread, which does not need the GIL and so works even when a thread never
    releases it.

    Args:
        clock: monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._activity: str | None = None
        self._since = 0.0
        self.timeout: float | None = None
        """Seconds an activity may take; None for no limit."""

    def set_activity(self, activity: str | None) -> None:
        """Start the timeout for a new activity; None stops it."""
        with self._lock:
            self._activity, self._since = activity, self._clock()
        if activity is None or self.timeout is None:
            faulthandler.cancel_dump_traceback_later()
        else:
            faulthandler.dump_traceback_later(self.timeout, file=_STDERR)

    def hung_activity(self) -> str | None:
        """The activity that exceeded the timeout, as a message; None if there is none."""
        with self._lock:
            activity, seconds = self._activity, self._clock() - self._since
        if activity is None or self.timeout is None or seconds < self.timeout:
            return None
        return (
            f"{activity} has not ended in {seconds:.0f} s; training.stepTimeoutSeconds is {self.timeout:.0f}"
        )
