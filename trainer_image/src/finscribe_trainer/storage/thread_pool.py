"""Runs tasks in parallel in daemon threads, which do not delay the end of the process when they stall."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from functools import partial
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any, ParamSpec, TypeAlias, TypeVar

from finscribe_core.errors import FailureReason, RetryableError

P = ParamSpec("P")
T = TypeVar("T")

Task: TypeAlias = Callable[[], Iterable["Task"]]
"""Does one piece of work, and returns the tasks that follow from it."""

_POLL_SECONDS = 0.2
"""How often the cancel event is checked."""
_GRACE_SECONDS = 2.0
"""How long to wait for running work after cancellation; a thread blocked in a request is then abandoned."""


class DaemonThreadPool(Executor):
    """Like ThreadPoolExecutor, whose threads Python joins at exit, but with daemon threads."""

    def __init__(self, max_workers: int) -> None:
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads = [Thread(target=self._work, daemon=True) for _ in range(max_workers)]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """See Executor."""
        future: Future[T] = Future()
        self._queue.put(partial(_run, future, partial(fn, *args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let every thread end after the work submitted so far; waits for none of them."""
        del wait, cancel_futures
        for _ in self._threads:
            self._queue.put(None)

    def _work(self) -> None:
        while (run := self._queue.get()) is not None:
            run()


def _run(future: "Future[Any]", function: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(function())
    except BaseException as error:  # raised where the future's result is asked for
        future.set_exception(error)


def run_parallel(tasks: Iterable[Task], num_workers: int, cancel: Event) -> None:
    """Run tasks and their follow-up tasks, at most `num_workers` at a time.

    After the first failure no further task is started; those running are waited for.

    Raises:
        RetryableError: Interrupted, at most two seconds after `cancel` was set.
        Exception: the first one raised by a task.
    """
    pool = DaemonThreadPool(num_workers)
    running: set[Future[Iterable[Task]]] = set()
    follow_ups: deque[Task] = deque()
    waiting = iter(tasks)
    failure: Exception | None = None
    try:
        while not cancel.is_set():
            while len(running) < num_workers and (task := _next(follow_ups, waiting)):
                running.add(pool.submit(task))
            if not running:
                return
            done, running = wait(running, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
            for future in done:
                follow_ups.extend(future.result())
    except Exception as error:
        failure = error
    finally:
        pool.shutdown()
    while running and not cancel.is_set():
        _, running = wait(running, timeout=_POLL_SECONDS)
    if failure is None or cancel.is_set():
        wait(running, timeout=_GRACE_SECONDS)
        raise RetryableError(FailureReason.Interrupted, "The transfer was interrupted.") from failure
    raise failure


def _next(follow_ups: deque[Task], waiting: Iterator[Task]) -> Task | None:
    return follow_ups.popleft() if follow_ups else next(waiting, None)
