"""Draws progress bars on stderr where it is a terminal; draws nothing elsewhere."""

import sys
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

T = TypeVar("T")


def progress(
    items: Iterable[T], description: str, *, total: int | None = None, completed: int = 0, unit: str = ""
) -> Iterator[T]:
    """Yield the items while a bar counts them; the bar is removed at the end, or when the loop is left.

    Log lines appear above the bar.

    Args:
        items: what to count.
        description: label to the left of the bar.
        total: number of items, including `completed`; that of a sized `items` when None.
        completed: items that were finished before.
        unit: what the items are, in the plural.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    if total is None and isinstance(items, Sized):
        total = len(items) + completed
    with create_bar() as bar:
        task = bar.add_task(description, total=total, completed=completed, details=unit)
        yield from bar.track(items, total=total, completed=completed, task_id=task)


def create_bar(*columns: ProgressColumn) -> Progress:
    """A display with description, bar, count, details and time left on stderr, removed when it stops.

    Each task needs the field `details`: a text that follows the count.

    Args:
        columns: more columns, at the end.
    """
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[details]}"),
        TimeRemainingColumn(),
        *columns,
        console=Console(stderr=True),
        transient=True,
    )
