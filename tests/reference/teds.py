"""TEDS by the packages docling-metrics-table and table-recognition-metric."""

import table_recognition_metric
from docling_metrics_table.utils.teds import TEDScorer
from lxml import html

from finscribe_trainer.metrics.tables import Table


def docling_teds(gold: str, predicted: str, *, structure_only: bool = False) -> float:
    """docling-metrics-table's score of two HTML documents.

    `TEDScorer` compares texts by edit distance, as TEDS is defined. The package's other class, `TableMetric`,
    counts any change of a cell's text as a whole edit, which is another score.
    """
    tables = (html.fromstring(document).xpath("body/table")[0] for document in (gold, predicted))
    return float(TEDScorer().teds(*tables, structure_only=structure_only))


def table_recognition_teds(gold: str, predicted: str, *, structure_only: bool = False) -> float:
    """table-recognition-metric's score of two HTML documents."""
    return float(table_recognition_metric.TEDS(structure_only=structure_only)(predicted, gold))


def count_inline_tags(table: Table) -> int:
    """Tags inside the table's cells, which docling-metrics-table counts as nodes."""
    return sum(
        len(token) > 1 and not token.startswith("</")
        for section in table.sections
        for row in section.rows
        for cell in row
        for token in cell.content
    )
