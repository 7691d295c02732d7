"""Handles SIGTERM and Ctrl+C: training saves a checkpoint after its step, all else stops immediately."""

import atexit
import contextlib
import logging
import multiprocessing.util  # registers its own atexit handler, which must run after `_kill_workers`
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


log = logging.getLogger(__name__)
_STDERR = 2


class StopRequested(BaseException):
    """A stop was requested.

    A BaseException, as KeyboardInterrupt, so that no library's `except Exception` catches it.
    """


class StopSignal:
    """Records a requested stop, and raises StopRequested at the first signal unless deferred.

    Args:
        announce: write a line at the first signal; false in all processes of a run but one.

    Attributes:
        requested: set by the first signal.
        cancel_transfers: set when running transfers must be cancelled: by a signal outside `deferred`.
    """

    def __init__(self, *, announce: bool = True) -> None:
        self._announce = announce
        self.requested = threading.Event()
        self.cancel_transfers = threading.Event()
        self._deferred = False

    def install(self) -> None:
        """Install the handlers of SIGTERM and SIGINT (main thread only)."""
        signal.signal(signal.SIGTERM, self._handle)
        signal.signal(signal.SIGINT, self._handle)
        atexit.register(_kill_workers)

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        repeated = self.requested.is_set()
        self.requested.set()
        if self._announce and not repeated:
            how = "after this step, with a checkpoint" if self._deferred else "now"
            again = " Press Ctrl+C again to exit at once." if signum == signal.SIGINT else ""
            write_at_once(f"Stopping {how}.{again}")
        if not self._deferred and not repeated:
            self.cancel_transfers.set()
            raise StopRequested
        if repeated and signum == signal.SIGINT:
            os._exit(EXIT_RETRY)  # the second Ctrl+C: exit without waiting for anything

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Within, a signal only sets `requested`, which the training loop checks after every step."""
        if self.requested.is_set():
            raise StopRequested
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False


def write_at_once(message: str) -> None:
    """Write a line to stderr in the format of the log, from a signal handler.

    Not by logging or print: the signal may have interrupted a write to the same stream.
    """
    record = log.makeRecord(log.name, logging.WARNING, __file__, 0, message, (), None)
    lines = [handler.format(record) for handler in logging.getLogger().handlers] or [message]
    with contextlib.suppress(OSError):
        os.write(_STDERR, f"{lines[0]}\n".encode())


def _kill_workers() -> None:
    """Kill remaining data workers at exit: Python would send SIGTERM, which they block, and wait for them."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # PyTorch's handler would treat their exit as a failure
    for worker in multiprocessing.active_children():
        worker.kill()


def block_signals_in_worker(_worker: int = 0) -> None:
    """Block SIGTERM and SIGINT in a data worker: only the main process handles those sent to the group."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})


def shut_down_workers(loader: "DataLoader[Any]") -> None:
    """Shut down a loader's persistent data workers, if there are any."""
    if (iterator := getattr(loader, "_iterator", None)) is not None:
        iterator._shutdown_workers()
        loader._iterator = None
