"""A queue of jobs to look at: each once, one look at a job at a time, failures with growing delay."""

import asyncio
import random

from finscribe_operator.objects import JobKey

BASE_DELAY_SECONDS = 0.25
MAX_DELAY_SECONDS = 120.0


class WorkQueue:
    """Keys of jobs. One that is added while it is worked on comes again afterwards."""

    def __init__(self) -> None:
        self._ready: asyncio.Queue[JobKey] = asyncio.Queue()
        self._dirty: set[JobKey] = set()
        self._working: set[JobKey] = set()
        self._failures: dict[JobKey, int] = {}
        self._timers: dict[JobKey, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        """Keys that are waiting, those that wait for another try aside."""
        return len(self._dirty)

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do, now or later."""
        return not (self._dirty or self._working or self._timers)

    def add(self, key: JobKey) -> None:
        """Have the job looked at as soon as possible."""
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._working:
            self._ready.put_nowait(key)

    async def get(self) -> JobKey:
        """The next key; give it back with `succeeded` or `failed`."""
        key = await self._ready.get()
        self._dirty.discard(key)
        self._working.add(key)
        return key

    def succeeded(self, key: JobKey) -> None:
        """The look was taken; earlier failures are forgotten."""
        self._failures.pop(key, None)
        self._cancel_timer(key)
        self._give_back(key)

    def failed(self, key: JobKey) -> float:
        """The look has to be taken again; returns the seconds until then (less, if something happens)."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        # Jitter spreads what one outage made to fail together.
        delay = min(BASE_DELAY_SECONDS * 2.0 ** min(failures, 16), MAX_DELAY_SECONDS)
        delay *= random.uniform(0.75, 1.25)  # noqa: S311 - no secret depends on it
        self._cancel_timer(key)
        self._timers[key] = asyncio.get_running_loop().call_later(delay, self._wake, key)
        self._give_back(key)
        return delay

    def close(self) -> None:
        """Cancel what waits for another try."""
        for key in list(self._timers):
            self._cancel_timer(key)

    def _give_back(self, key: JobKey) -> None:
        self._working.discard(key)
        if key in self._dirty:
            self._ready.put_nowait(key)

    def _wake(self, key: JobKey) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _cancel_timer(self, key: JobKey) -> None:
        if timer := self._timers.pop(key, None):
            timer.cancel()
