"""Tables scored by table-recognition-metric."""

from pathlib import Path

from benchmarks.data.cases import Work
from benchmarks.data.tables import make_pairs
from finscribe_trainer.metrics.html_tables import read_html
from tests.reference.teds import table_recognition_teds


def prepare(items: int, _: Path, lines: int, misread: float) -> Work:
    """Make `items` pairs of tables."""
    pairs = make_pairs(lines, items, misread=misread)
    nodes = [max(read_html(html).nodes for html in pair) for pair in pairs]

    def work() -> list[float]:
        scores = [table_recognition_teds(gold, predicted) for gold, predicted in pairs]
        # It counts <table> as a node, too; without that, its scores equal the others'.
        return [1 - (1 - score) * (count + 1) / count for score, count in zip(scores, nodes, strict=True)]

    return work
