"""What is measured."""

from collections.abc import Callable
from dataclasses import dataclass

Work = Callable[[], list[float]]
"""Does it all once; gives the scores, where there are any."""


@dataclass(frozen=True)
class Case:
    """One line of the table."""

    group: str
    """Cases of one group do the same work, and must come to the same scores."""
    name: str
    module: str
    """Of this folder: its `prepare(items, folder, *parameters)`, which is not timed, gives the work."""
    items: int
    unit: str
    """What the items are."""
    parameters: tuple[float, ...] = ()


_TABLES = ((5, 0.02, 40), (5, 0.2, 40), (15, 0.02, 12), (15, 0.2, 12), (40, 0.2, 2))
"""Lines, share of cells misread, pairs."""
_TEDS = {"FinScribe": "teds", "IBM": "teds_ibm", "table-recognition-metric": "teds_other"}

CASES = [
    *(
        Case(f"TEDS, {lines} lines, {misread:.0%} misread", name, module, pairs, "tables", (lines, misread))
        for lines, misread, pairs in _TABLES
        for name, module in _TEDS.items()
    ),
    Case("300 documents made up", "data generate", "generate", 300, "pages"),
    *(Case(f"{rows:,} rows checked", "data validate", "validate", rows, "rows") for rows in (5_000, 30_000)),
]
