"""Polls a condition until it is true or a deadline has passed."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PAUSE_SECONDS = 0.1


def eventually(condition: Callable[[], T], *, within: float = 30.0, what: str = "") -> T:
    """The first true value of the condition. An AssertionError that it raises counts as false."""
    deadline = time.monotonic() + within
    while True:
        value: T | None = None
        reason = ""
        try:
            value = condition()
        except AssertionError as error:
            reason = str(error)
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:.0f} s: {what or reason or value!r}")
        time.sleep(PAUSE_SECONDS)
