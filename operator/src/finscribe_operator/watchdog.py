"""Ends the process in time: receives SIGTERM and SIGINT, and exits when a shutdown takes too long.

It runs in a thread of its own, so that it works whatever the event loop and its tasks do.
"""

import asyncio
import logging
import os
import signal
import threading

logger = logging.getLogger(__name__)

SHUTDOWN_SECONDS = 10.0
"""Shorter than the 30 seconds after which the kubelet kills a pod."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_LOG_SECONDS = 1.0


class Watchdog:
    """Requests the process's end after a signal, and forces it `seconds` after `arm` was called."""

    def __init__(self, seconds: float = SHUTDOWN_SECONDS) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._signalled = False
        self._armed = False

    def start(self) -> None:
        """Take over SIGTERM and SIGINT. Call it before other threads start, which inherit the signal mask."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        threading.Thread(target=self._await_signal, name="watchdog", daemon=True).start()

    def stop_event(self) -> asyncio.Event:
        """An event of the running loop that is set by a signal; it is set already if one was received."""
        with self._lock:
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            if self._signalled:
                self._stop.set()
            return self._stop

    def arm(self) -> None:
        """Exit with code 1 unless the process ends by itself in time."""
        with self._lock:
            if self._armed:
                return
            self._armed = True
        timer = threading.Timer(self._seconds, self._exit)
        timer.daemon = True
        timer.start()

    def _await_signal(self) -> None:
        received = signal.sigwait(_SIGNALS)
        self.arm()
        with self._lock:
            self._signalled = True
            if self._loop is not None and self._stop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._stop.set)
        logger.info("Received %s, stopping", signal.Signals(received).name)

    def _exit(self) -> None:
        # The log may be what hangs: it must not keep the process alive.
        message = ("The shutdown took more than %.0f s: exiting at once", self._seconds)
        last_words = threading.Thread(target=logger.critical, args=message, daemon=True)
        last_words.start()
        last_words.join(_LOG_SECONDS)
        os._exit(1)
