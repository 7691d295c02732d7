"""TEDS agrees with the two public implementations, but for what docs/metrics.md says."""

from itertools import islice
from random import Random

import pytest

from finscribe_trainer.metrics.html_tables import read_html
from finscribe_trainer.metrics.tables import Table
from finscribe_trainer.metrics.teds import teds
from tests.reference.random_tables import random_pairs
from tests.reference.teds import ibm_teds, marked_up, other_teds, to_html

CASES = 500


def as_ibm_counts(ours: float, gold: Table, predicted: Table) -> float:
    """Our score, divided by the tags inside cells, too; the score itself where there are none."""
    nodes = max(gold.nodes, predicted.nodes)
    return 1 - (1 - ours) * nodes / max(table.nodes + marked_up(table) for table in (gold, predicted))


@pytest.mark.parametrize("structure_only", [False, True], ids=["content", "structure"])
def test_random_tables_score_as_with_ibm_but_for_tags_inside_cells(structure_only):
    plain = 0
    for gold, predicted in islice(random_pairs(Random(int(structure_only))), CASES):
        theirs = ibm_teds(to_html(gold), to_html(predicted), structure_only=structure_only)
        ours = teds(gold, predicted, structure_only=structure_only)
        if ours:  # what IBM leaves below zero is zero
            assert as_ibm_counts(ours, gold, predicted) == pytest.approx(theirs, abs=1e-9)
        plain += not marked_up(gold) and not marked_up(predicted)
    assert plain > CASES / 10


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
    "an empty row": ("<tr></tr><tr><td>a</td></tr>", "<tr><td>a</td></tr>"),
    "a table turned": ("<tr><td>a</td><td>b</td><td>c</td></tr>", "<tr><td>a</td></tr><tr><td>b</td></tr>"),
}


@pytest.mark.parametrize(("gold", "predicted"), HANDMADE.values(), ids=HANDMADE)
def test_handmade_tables_are_read_and_scored_as_with_ibm(gold, predicted):
    gold, predicted = (f"<html><body><table>{rows}</table></body></html>" for rows in (gold, predicted))
    tables = read_html(gold), read_html(predicted)
    assert as_ibm_counts(teds(*tables), *tables) == pytest.approx(ibm_teds(gold, predicted))


def test_a_score_that_ibm_leaves_below_zero_is_zero():
    gold = "<html><body><table><tr><td>a</td><td>b</td><td>c</td><td>d</td></tr></table></body></html>"
    rows = "".join(f"<tr><td>{text}</td></tr>" for text in "wxyz")
    predicted = f"<html><body><table>{rows}</table></body></html>"
    assert ibm_teds(gold, predicted) < 0
    assert teds(read_html(gold), read_html(predicted)) == 0


def test_table_recognition_metric_differs_by_counting_the_table_itself():
    differences = []
    for gold, predicted in islice(random_pairs(Random(2)), 100):
        theirs = other_teds(to_html(gold), to_html(predicted))
        ours = teds(gold, predicted)
        nodes = max(gold.nodes, predicted.nodes)
        if ours:
            assert 1 - theirs == pytest.approx((1 - ours) * nodes / (nodes + 1))
            differences.append(theirs - ours)
    assert max(differences) > 0.05
