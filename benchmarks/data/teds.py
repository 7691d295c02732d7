"""Tables scored by FinScribe."""

from pathlib import Path

from benchmarks.data.cases import Work
from benchmarks.data.tables import make_pairs
from finscribe_trainer.metrics.html_tables import read_html
from finscribe_trainer.metrics.teds import teds


def prepare(items: int, _: Path, lines: int, misread: float) -> Work:
    """Make `items` pairs of tables."""
    pairs = make_pairs(lines, items, misread=misread)
    return lambda: [teds(read_html(gold), read_html(predicted)) for gold, predicted in pairs]
