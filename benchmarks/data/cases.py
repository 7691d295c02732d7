"""The cases of the data benchmark: program, task and number of items."""

from collections.abc import Callable
from dataclasses import dataclass

Work = Callable[[], list[float]]
"""Processes all items once and returns their scores; an empty list where the work has none."""


@dataclass(frozen=True)
class Case:
    """One line of the table."""

    group: str
    """Cases of one group do the same work and must return the same scores."""
    name: str
    module: str
    """In this folder; its `prepare(items, folder, *parameters)`, which is not timed, returns the work."""
    items: int
    unit: str
    """Name of the items."""
    parameters: tuple[float, ...] = ()


_TABLES = ((5, 0.02, 40), (5, 0.2, 40), (15, 0.02, 12), (15, 0.2, 12), (40, 0.2, 2))
"""Lines, share of misread cells, pairs."""
_TEDS = {
    "FinScribe": "teds",
    "docling-metrics-table": "teds_docling",
    "table-recognition-metric": "teds_table_recognition_metric",
}

CASES = [
    *(
        Case(f"TEDS, {lines} lines, {misread:.0%} misread", name, module, pairs, "tables", (lines, misread))
        for lines, misread, pairs in _TABLES
        for name, module in _TEDS.items()
    ),
    Case("300 documents generated", "data generate", "generate", 300, "pages"),
    *(
        Case(f"{rows:,} rows validated", "data validate", "validate", rows, "rows")
        for rows in (5_000, 30_000)
    ),
]
