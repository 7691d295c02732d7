"""SIGTERM and Ctrl+C: a training step is finished and saved first, anything else ends at once."""

import atexit
import multiprocessing.util  # its own end of the workers is registered by this, before ours
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from finscribe_core.constants import EXIT_RETRY

if TYPE_CHECKING:
    from torch.utils.data import DataLoader


class StopRequested(BaseException):
    """The process was asked to stop. Like KeyboardInterrupt no Exception, so that no library swallows it."""


class StopSignal:
    """Whether the process was asked to stop.

    Attributes:
        requested: set by the first signal.
        abandon: set when running transfers must end, too: by a signal outside `deferred`.
    """

    def __init__(self) -> None:
        self.requested = threading.Event()
        self.abandon = threading.Event()
        self._deferred = False

    def install(self) -> None:
        """Take over SIGTERM and SIGINT (main thread only)."""
        signal.signal(signal.SIGTERM, self._handle)
        signal.signal(signal.SIGINT, self._handle)
        atexit.register(_end_workers)

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        repeated = self.requested.is_set()
        self.requested.set()
        if not self._deferred and not repeated:
            self.abandon.set()
            raise StopRequested
        if repeated and signum == signal.SIGINT:
            os._exit(EXIT_RETRY)  # the second Ctrl+C: nothing is waited for

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Within, a signal only sets `requested`: the training loop looks there after every step."""
        if self.requested.is_set():
            raise StopRequested
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False


def _end_workers() -> None:
    """End what data workers are left at exit: Python would do so by SIGTERM, which they block, and wait."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # PyTorch's handler would take their end for a failure
    for worker in multiprocessing.active_children():
        worker.kill()


def block_in_worker(_worker: int = 0) -> None:
    """Let the main process alone decide: a signal to the process group must not end its data workers."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})


def end_workers(loader: "DataLoader[Any]") -> None:
    """End a loader's data workers, if any wait for the next epoch."""
    if (iterator := getattr(loader, "_iterator", None)) is not None:
        iterator._shutdown_workers()
        loader._iterator = None
