"""A pool of threads for tasks that may bring forth more tasks: an object, then its pieces."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeAlias

from finscribe_core.errors import FailureReason, RetryableError

Task: TypeAlias = Callable[[], Iterable["Task"]]
"""Does its work, and returns what is to be done after it."""

_POLL = 0.2
"""Seconds between two looks at the cancel event."""
_GRACE = 2.0
"""Seconds a cancelled transfer is waited for; a thread stuck in a dead connection is then left behind."""


class _Queue:
    def __init__(self, tasks: Iterable[Task], cancel: threading.Event) -> None:
        self._tasks = iter(tasks)
        self._follow_ups: deque[Task] = deque()
        self._num_busy = 0
        self._cancel = cancel
        self._changed = threading.Condition()
        self.error: BaseException | None = None

    def work(self) -> None:
        """Take tasks until there are none, or one fails."""
        while (task := self._take()) is not None:
            follow_ups: list[Task] = []
            try:
                follow_ups.extend(task())
            except BaseException as error:  # run_parallel raises it in the caller's thread
                self.error = self.error or error
            with self._changed:
                self._num_busy -= 1
                self._follow_ups.extend(follow_ups)
                self._changed.notify_all()

    def _take(self) -> Task | None:
        with self._changed:
            while self.error is None and not self._cancel.is_set():
                task = self._follow_ups.popleft() if self._follow_ups else next(self._tasks, None)
                if task is not None:
                    self._num_busy += 1
                    return task
                if self._num_busy == 0:
                    return None
                self._changed.wait(_POLL)
        return None


def run_parallel(tasks: Iterable[Task], num_workers: int, cancel: threading.Event) -> None:
    """Run tasks, and the tasks they return, in daemon threads; at most `num_workers` at once.

    Raises:
        RetryableError: Interrupted, soon after `cancel` was set.
        Exception: the first one that a task raised; no new task is begun after it.
    """
    queue = _Queue(tasks, cancel)
    threads = [threading.Thread(target=queue.work, daemon=True) for _ in range(num_workers)]
    for thread in threads:
        thread.start()
    try:
        _wait_for(threads, cancel)
    except BaseException as error:  # Ctrl+C: begin no new task
        queue.error = error
        raise
    if cancel.is_set():
        raise RetryableError(FailureReason.Interrupted, "The transfer was interrupted.") from queue.error
    if queue.error is not None:
        raise queue.error


def _wait_for(threads: list[threading.Thread], cancel: threading.Event) -> None:
    deadline: float | None = None
    while alive := [thread for thread in threads if thread.is_alive()]:
        if cancel.is_set():
            deadline = deadline or time.monotonic() + _GRACE
            if time.monotonic() > deadline:
                break
        alive[0].join(_POLL)
