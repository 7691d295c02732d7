"""Telling people what takes time: a spinner in a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

console = Console(stderr=True, highlight=False, soft_wrap=True)
HEARTBEAT_SECONDS = 30.0


class ToolError(Exception):
    """Something a person must mend; its text says what and how."""


def say(text: str) -> None:
    """One line for people."""
    console.print(escape(text))
    sys.stderr.flush()


@contextmanager
def step(title: str) -> Iterator[Callable[[], None]]:
    """Announce a step and, when it succeeded, how long it took.

    Yields:
        A function to call often while the step goes on: without a terminal it says every 30 seconds that the
        step is still going on, so that a log never looks hung.
    """
    started = spoken = time.monotonic()

    def still_going() -> None:
        nonlocal spoken
        now = time.monotonic()
        if not console.is_terminal and now - spoken >= HEARTBEAT_SECONDS:
            spoken = now
            say(f"    {title}: {now - started:.0f} s so far")

    if console.is_terminal:
        with console.status(escape(title)):
            yield still_going
    else:
        yield still_going
    say(f"  {title}: {time.monotonic() - started:.1f} s")
