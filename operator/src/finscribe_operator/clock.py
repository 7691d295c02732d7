"""The current time as a function: the machine's own clock, or the API server's."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

Clock = Callable[[], str]
"""Returns the current time as the API writes it (RFC 3339, seconds, UTC)."""


def seconds_between(start: str, end: str) -> float:
    """Seconds from one time to another, both RFC 3339.

    >>> seconds_between("2026-05-01T12:00:00Z", "2026-05-01T12:01:30Z")
    90.0
    """
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def add_seconds(time: str, seconds: float) -> str:
    """The time that many seconds later, both RFC 3339.

    >>> add_seconds("2026-05-01T12:00:00Z", 90)
    '2026-05-01T12:01:30Z'
    """
    return _as_text(datetime.fromisoformat(time).timestamp() + seconds)


def utc_now() -> str:
    """The current time of this machine.

    >>> utc_now().endswith("Z")
    True
    """
    return _as_text(time.time())


class ServerClock:
    """The API server's time: this machine's, corrected by the `Date` headers of the server's responses.

    A status holds times that the API server wrote, such as the start of a Job, beside the operator's own.
    With one clock for both, a run can't end before it began, whatever the time of the operator's node.
    """

    def __init__(self) -> None:
        self._offset = 0.0

    def observe(self, date: str | None, sent: float, received: float) -> None:
        """Take the `Date` header of a response to a request that was sent and received at these local times.

        The header has whole seconds, so that it bounds the offset rather than gives it: an offset within the
        bounds is kept, and the time does not jump back and forth with every response.
        """
        try:
            seconds = parsedate_to_datetime(date or "").timestamp()
        except ValueError:
            return
        self._offset = min(max(self._offset, seconds - received), seconds + 1 - sent)

    def __call__(self) -> str:
        """The current time of the API server; this machine's before the first response."""
        return _as_text(time.time() + self._offset)


def _as_text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
