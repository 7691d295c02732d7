"""A queue of jobs to reconcile: each queued once, never processed twice at a time, retried with backoff."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from finscribe_operator.objects import JobKey

BASE_DELAY_SECONDS = 0.25
MAX_DELAY_SECONDS = 120.0
MAX_DUE_SECONDS = 3600.0
"""A job that is due later is looked at once an hour, in case that a clock was corrected."""


@dataclass(frozen=True)
class _Failures:
    number: int
    since: float
    """When the first of them was, by the timer."""


class WorkQueue:
    """Keys of jobs. A key that is added while it is processed is queued again afterwards."""

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        self._ready: asyncio.Queue[JobKey] = asyncio.Queue()
        self._dirty: set[JobKey] = set()
        self._working: set[JobKey] = set()
        self._failures: dict[JobKey, _Failures] = {}
        self._timers: dict[JobKey, asyncio.TimerHandle] = {}
        self._due: dict[JobKey, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        """Number of queued keys, without those waiting for a retry."""
        return len(self._dirty)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is queued, processed or waiting for a retry. What is due later does not count."""
        return not (self._dirty or self._working or self._timers)

    def add(self, key: JobKey) -> None:
        """Queue the job."""
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._working:
            self._ready.put_nowait(key)

    def add_later(self, key: JobKey, seconds: float | None) -> None:
        """Queue the job after a delay, instead of at the time set before; None: not at all."""
        if timer := self._due.pop(key, None):
            timer.cancel()
        if seconds is not None:
            delay = min(max(seconds, 0.0), MAX_DUE_SECONDS)
            self._due[key] = asyncio.get_running_loop().call_later(delay, self._add_due, key)

    async def get(self) -> JobKey:
        """Wait for the next key; report its end with `succeeded` or `failed`."""
        key = await self._ready.get()
        self._dirty.discard(key)
        self._working.add(key)
        return key

    def succeeded(self, key: JobKey) -> None:
        """The key was processed; its failure count is reset."""
        self._failures.pop(key, None)
        self._cancel_timer(key)
        self._finish(key)

    def failed(self, key: JobKey) -> float:
        """Retry the key after a delay, or earlier when it is added; returns the delay in seconds."""
        now = self._timer()
        failures = self._failures.get(key, _Failures(0, now))
        self._failures[key] = _Failures(failures.number + 1, failures.since)
        # Events make a key fail many times within seconds. It waits no longer than it has been failing, so
        # that jobs are worked on soon after a short outage.
        longest = min(max(now - failures.since, BASE_DELAY_SECONDS), MAX_DELAY_SECONDS)
        delay = min(BASE_DELAY_SECONDS * 2.0 ** min(failures.number, 16), longest)
        # Jitter spreads the retries after an outage that made many keys fail at once.
        delay *= random.uniform(0.75, 1.25)  # noqa: S311 - no secret depends on it
        self._cancel_timer(key)
        self._timers[key] = asyncio.get_running_loop().call_later(delay, self._retry, key)
        self._finish(key)
        return delay

    def close(self) -> None:
        """Cancel all pending retries."""
        for key in list(self._timers):
            self._cancel_timer(key)
        for key in list(self._due):
            self.add_later(key, None)

    def _finish(self, key: JobKey) -> None:
        self._working.discard(key)
        if key in self._dirty:
            self._ready.put_nowait(key)

    def _add_due(self, key: JobKey) -> None:
        self._due.pop(key, None)
        self.add(key)

    def _retry(self, key: JobKey) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _cancel_timer(self, key: JobKey) -> None:
        if timer := self._timers.pop(key, None):
            timer.cancel()
