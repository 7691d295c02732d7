"""Shows progress on stderr: a spinner in a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

console = Console(stderr=True, highlight=False, soft_wrap=True)
HEARTBEAT_SECONDS = 30.0


class ToolError(Exception):
    """An error that the user has to fix, with the remedy in its message."""


def say(text: str) -> None:
    """Print one line to stderr."""
    console.print(escape(text))
    sys.stderr.flush()


@contextmanager
def step(title: str) -> Iterator[Callable[[], None]]:
    """Show that a step is running and, when it succeeded, how long it took.

    Yields:
        A function to call often while the step runs: without a terminal it prints a line every 30 seconds, so
        that a log shows that the step is still running.
    """
    started = last_printed = time.monotonic()

    def heartbeat() -> None:
        nonlocal last_printed
        now = time.monotonic()
        if not console.is_terminal and now - last_printed >= HEARTBEAT_SECONDS:
            last_printed = now
            say(f"    {title}: {now - started:.0f} s so far")

    if console.is_terminal:
        with console.status(escape(title)):
            yield heartbeat
    else:
        yield heartbeat
    say(f"  {title}: {time.monotonic() - started:.1f} s")
