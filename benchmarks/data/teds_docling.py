"""Tables scored by docling-metrics-table."""

from pathlib import Path

from benchmarks.data.cases import Work
from benchmarks.data.tables import make_pairs
from tests.reference.teds import docling_teds


def prepare(items: int, _: Path, lines: int, misread: float) -> Work:
    """Make `items` pairs of tables."""
    pairs = make_pairs(lines, items, misread=misread)
    return lambda: [docling_teds(gold, predicted) for gold, predicted in pairs]
