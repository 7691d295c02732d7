"""The current time as a function, so that tests can replace it."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], str]
"""Returns the current time as the API writes it (RFC 3339, seconds, UTC)."""


def seconds_between(start: str, end: str) -> float:
    """Seconds from one time to another, both RFC 3339.

    >>> seconds_between("2026-05-01T12:00:00Z", "2026-05-01T12:01:30Z")
    90.0
    """
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def utc_now() -> str:
    """The current time.

    >>> utc_now().endswith("Z")
    True
    """
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
