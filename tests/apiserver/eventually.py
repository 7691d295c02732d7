"""Waiting for what a controller will do: ask again and again, until a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PAUSE_SECONDS = 0.1


def eventually(question: Callable[[], T], *, within: float = 30.0, what: str = "") -> T:
    """The first true answer. An AssertionError of the question counts as "not yet"."""
    deadline = time.monotonic() + within
    while True:
        answer: T | None = None
        reason = ""
        try:
            answer = question()
        except AssertionError as error:
            reason = str(error)
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:.0f} s: {what or reason or answer!r}")
        time.sleep(PAUSE_SECONDS)
