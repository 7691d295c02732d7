"""Shows the progress of a transfer: a bar in a terminal, otherwise a log line every ten seconds."""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

log = logging.getLogger(__name__)

_SECONDS_BETWEEN_LINES = 10.0


class TransferProgress(Protocol):
    """Receives the progress of a transfer, from several threads."""

    def expect(self, num_bytes: int) -> None:
        """Add bytes to the size of the transfer."""

    def advance(self, num_bytes: int) -> None:
        """Add transferred bytes; a negative number takes back those of a failed request."""


class LoggedProgress:
    """Logs a line every ten seconds, and one at the end."""

    def __init__(self, label: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._label = label
        self._clock = clock
        self._lock = threading.Lock()
        self._start = self._last = clock()
        self._expected = self._done = 0

    def expect(self, num_bytes: int) -> None:
        """See TransferProgress."""
        with self._lock:
            self._expected += num_bytes

    def advance(self, num_bytes: int) -> None:
        """See TransferProgress."""
        with self._lock:
            self._done += num_bytes
            now = self._clock()
            if now - self._last < _SECONDS_BETWEEN_LINES:
                return
            self._last = now
            speed = self._done / (now - self._start)
        log.info(
            "%s: %.1f of %.1f MB, %.1f MB/s", self._label, self._done / 1e6, self._expected / 1e6, speed / 1e6
        )

    def finish(self) -> None:
        """Log size and duration."""
        seconds = self._clock() - self._start
        log.info("%s: %.1f MB in %.1f s", self._label, self._done / 1e6, seconds)


class BarProgress:
    """Updates a progress bar of rich."""

    def __init__(self, bar: Progress, label: str) -> None:
        self._bar = bar
        self._task = bar.add_task(label, total=None)
        self._lock = threading.Lock()
        self._expected = 0

    def expect(self, num_bytes: int) -> None:
        """See TransferProgress."""
        with self._lock:
            self._expected += num_bytes
            self._bar.update(self._task, total=self._expected)

    def advance(self, num_bytes: int) -> None:
        """See TransferProgress."""
        self._bar.advance(self._task, num_bytes)


@contextmanager
def show_progress(label: str, given: TransferProgress | None = None) -> Iterator[TransferProgress]:
    """The given progress; otherwise a bar in a terminal, or log lines."""
    if given is not None:
        yield given
    elif sys.stderr.isatty():
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            yield BarProgress(bar, label)
    else:
        progress = LoggedProgress(label)
        yield progress
        progress.finish()
