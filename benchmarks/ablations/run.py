"""Measures cells in processes of their own, several at a time."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path

from benchmarks.ablations.cells import Cell

IMPORTS = "benchmarks.ablations.measure"
"""What the processes import, which takes longer than it takes to start them; this process does not."""


def prepare(folder: Path, base: str) -> None:
    """See `inputs.prepare`; for a process of its own."""
    from benchmarks.ablations import inputs  # noqa: PLC0415 - imports torch

    inputs.prepare(folder, base)


def measure(cell: Cell, folder: Path, base: str) -> None:
    """See `measure.measure`; for a process of its own."""
    from benchmarks.ablations import measure as module  # noqa: PLC0415 - imports torch

    module.measure(cell, folder, base)


def run_cells(
    cells: Sequence[Cell],
    measure: Callable[[Cell], None],
    context: BaseContext,
    workers: int,
    seconds: float,
) -> Iterator[tuple[Cell, int]]:
    """Measure cells in their order, and yield each with the exit code of its process when it has ended.

    Args:
        cells: What to measure.
        measure: Runs in the process of a cell.
        context: Starts the processes.
        workers: Processes at a time.
        seconds: After these no process is started; those that run end.
    """
    end = time.monotonic() + seconds
    waiting, running = deque(cells), dict[int, tuple[Cell, BaseProcess]]()
    try:
        while True:
            while waiting and len(running) < workers and time.monotonic() < end:
                cell = waiting.popleft()
                process: BaseProcess = context.Process(target=measure, args=(cell,))  # type: ignore[attr-defined] # typeshed lacks it in the base class
                process.start()
                running[process.sentinel] = cell, process
            if not running:
                return
            for sentinel in wait(list(running)):
                assert isinstance(sentinel, int)
                cell, process = running.pop(sentinel)
                process.join()
                yield cell, process.exitcode or 0
    finally:
        for _, process in running.values():  # Ctrl+C, or an error
            process.terminate()
