"""Tables scored by IBM's program."""

from pathlib import Path

from benchmarks.data.cases import Work
from benchmarks.data.tables import make_pairs
from tests.reference.teds import ibm_teds


def prepare(items: int, _: Path, lines: int, misread: float) -> Work:
    """So many pairs of tables."""
    pairs = make_pairs(lines, items, misread=misread)
    ibm_teds(*pairs[0])  # loads the program
    return lambda: [ibm_teds(gold, read) for gold, read in pairs]
