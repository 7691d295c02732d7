"""The current time as a function, so that tests can replace it."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], str]
"""Returns the current time as the API writes it (RFC 3339, seconds, UTC)."""


def utc_now() -> str:
    """The current time.

    >>> utc_now().endswith("Z")
    True
    """
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
