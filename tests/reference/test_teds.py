"""TEDS agrees with the reference packages, apart from the differences that docs/metrics.md lists."""

from itertools import islice
from random import Random

import pytest

from finscribe_trainer.metrics.html_tables import read_html
from finscribe_trainer.metrics.tables import Table
from finscribe_trainer.metrics.teds import teds
from tests.reference.random_tables import random_pairs
from tests.reference.table_html import to_html
from tests.reference.teds import count_inline_tags, docling_teds, table_recognition_teds

CASES = 500


def with_inline_tags_as_nodes(ours: float, gold: Table, predicted: Table) -> float:
    """Our score if tags inside cells were nodes, too; the score itself where there are none."""
    nodes = max(gold.nodes, predicted.nodes)
    return 1 - (1 - ours) * nodes / max(table.nodes + count_inline_tags(table) for table in (gold, predicted))


@pytest.mark.parametrize("structure_only", [False, True], ids=["content", "structure"])
def test_random_tables_score_as_with_docling_apart_from_tags_inside_cells(structure_only):
    plain = 0
    for gold, predicted in islice(random_pairs(Random(int(structure_only))), CASES):
        theirs = docling_teds(to_html(gold), to_html(predicted), structure_only=structure_only)
        ours = teds(gold, predicted, structure_only=structure_only)
        if ours:  # theirs can be negative, ours is then 0
            assert with_inline_tags_as_nodes(ours, gold, predicted) == pytest.approx(theirs, abs=1e-9)
        plain += not count_inline_tags(gold) and not count_inline_tags(predicted)
    assert plain > CASES / 10


def document(rows: str) -> str:
    return f"<html><body><table>{rows}</table></body></html>"


HANDMADE = {
    "equal": ("<tr><td>a</td></tr>", "<tr><td>a</td></tr>"),
    "another text": ("<tr><td>a</td><td>b</td></tr>", "<tr><td>a</td><td>c</td></tr>"),
    "white space counts": ("<tr><td>a b</td></tr>", "<tr><td> a  b </td></tr>"),
    "markup": ("<tr><td><b>a</b><i>x</i>y</td></tr>", "<tr><td>a<br>xy</td></tr>"),
    "markup within markup": ("<tr><td><b><i>a</i>t</b></td></tr>", "<tr><td><sup>a</sup></td></tr>"),
    "entities": ("<tr><td>R&amp;D</td></tr>", "<tr><td>R&D</td></tr>"),
    "letters beyond ASCII": ("<tr><td>Größe 合計</td></tr>", "<tr><td>Grosse 合計</td></tr>"),
    "missing end tags": ("<tr><td>a<td>b<tr><td>c", "<tr><td>a</td><td>b</td></tr>"),
    "spans": ('<tr><td colspan="2">a</td></tr>', '<tr><td rowspan="2">a</td></tr>'),
    "sections": (
        "<thead><tr><td>a</td></tr></thead><tbody><tr><td>b</td></tr></tbody>",
        "<tr><td>b</td></tr>",
    ),
    "header cells": ("<tr><th>a</th><th>b</th></tr>", "<tr><td>a</td><td>c</td></tr>"),
    "an empty row": ("<tr></tr><tr><td>a</td></tr>", "<tr><td>a</td></tr>"),
    "an empty table": ("<tr><td>a</td></tr>", ""),
    "a transposed table": (
        "<tr><td>a</td><td>b</td><td>c</td></tr>",
        "<tr><td>a</td></tr><tr><td>b</td></tr>",
    ),
}


@pytest.mark.parametrize(("gold", "predicted"), HANDMADE.values(), ids=HANDMADE)
def test_handmade_tables_are_parsed_and_scored_as_with_docling(gold, predicted):
    gold, predicted = document(gold), document(predicted)
    tables = read_html(gold), read_html(predicted)
    assert with_inline_tags_as_nodes(teds(*tables), *tables) == pytest.approx(docling_teds(gold, predicted))


def test_a_score_is_zero_where_the_packages_return_a_negative_one():
    gold, predicted = document(f"<tr>{'<td>a</td>' * 10}</tr>"), document("<tr><td>b</td></tr>" * 5)
    assert docling_teds(gold, predicted) == pytest.approx(1 - 16 / 11)
    assert table_recognition_teds(gold, predicted) == pytest.approx(1 - 16 / 12)
    assert teds(read_html(gold), read_html(predicted)) == 0


def test_two_empty_tables_score_one_where_docling_raises_an_error():
    empty = document("")
    with pytest.raises(ValueError, match="no nodes"):
        docling_teds(empty, empty)
    assert teds(read_html(empty), read_html(empty)) == 1


def test_table_recognition_metric_ignores_the_text_of_header_cells():
    gold, predicted = document("<tr><th>a</th></tr>"), document("<tr><th>b</th></tr>")
    assert table_recognition_teds(gold, predicted) == 1
    assert teds(read_html(gold), read_html(predicted)) == docling_teds(gold, predicted) == 1 / 2


def test_table_recognition_metric_differs_by_counting_the_table_itself():
    differences = []
    for gold, predicted in islice(random_pairs(Random(2)), 100):
        theirs = table_recognition_teds(to_html(gold), to_html(predicted))
        ours = teds(gold, predicted)
        nodes = max(gold.nodes, predicted.nodes)
        if ours:
            assert 1 - theirs == pytest.approx((1 - ours) * nodes / (nodes + 1))
            differences.append(theirs - ours)
    assert max(differences) > 0.05
