"""TEDS: known scores, properties, and the limits beyond which it is a lower bound."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finscribe_trainer.metrics import teds as module
from finscribe_trainer.metrics.html_tables import read_html
from finscribe_trainer.metrics.tables import Cell, Section, Table
from finscribe_trainer.metrics.teds import teds
from tests.reference.random_tables import misread, random_table


def html(rows: str) -> Table:
    """A table from its inner HTML."""
    return read_html(f"<table>{rows}</table>")


GOLD = "<tr><td>item</td><td>total</td></tr><tr><td>Ink</td><td>7.00</td></tr>"
KNOWN = {
    "a letter of four": (GOLD, GOLD.replace("7.00", "7.01"), 1 - 0.25 / 6, 1),
    "another text": (GOLD, GOLD.replace("Ink", "xyz"), 1 - 1 / 6, 1),
    "a span": (GOLD, GOLD.replace("<td>Ink", '<td colspan="2">Ink'), 1 - 1 / 6, 1 - 1 / 6),
    "a row lost": (GOLD, "<tr><td>item</td><td>total</td></tr>", 1 - 3 / 6, 1 - 3 / 6),
    "a cell added": (GOLD, GOLD + "<tr><td>x</td></tr>", 1 - 2 / 8, 1 - 2 / 8),
    "a section around": (GOLD, f"<tbody>{GOLD}</tbody>", 1 - 1 / 7, 1 - 1 / 7),
    "a head called a body": (f"<thead>{GOLD}</thead>", f"<tbody>{GOLD}</tbody>", 1 - 1 / 7, 1 - 1 / 7),
    "a row cut in two": (
        "<tr><td>a</td><td>b</td></tr>",
        "<tr><td>a</td></tr><tr><td>b</td></tr>",
        1 - 3 / 4,
        0.25,
    ),
    # Tags within a cell are tokens of its text, not nodes.
    "bold lost": ("<tr><td><b>7</b></td></tr>", "<tr><td>7</td></tr>", 1 - (2 / 3) / 2, 1),
    "tables in tables": ("<tr><td>7</td></tr>", "<tr><td><table>" * 60_000, 0.5, 1),
    "nothing read": (GOLD, "", 0, 0),
    "nothing to read": ("", GOLD, 0, 0),
    "nothing at all": ("", "", 1, 1),
    # Seven edits to a table of six nodes: the published formula gives a negative score.
    "more edits than nodes": (
        "<tr><td>a</td><td>b</td><td>c</td><td>d</td><td>e</td></tr>",
        "<tr><td>v</td></tr><tr><td>w</td></tr><tr><td>x</td></tr>",
        0,
        0,
    ),
}


@pytest.mark.parametrize(("gold", "predicted", "score", "structure"), KNOWN.values(), ids=KNOWN)
def test_a_score_calculated_by_hand(gold, predicted, score, structure):
    assert teds(html(gold), html(predicted)) == pytest.approx(score)
    assert teds(html(gold), html(predicted), structure_only=True) == pytest.approx(structure)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Table, Table]:
    """A table, and the same table with errors or another one."""
    random = Random(draw(st.integers(0, 10**6)))
    gold = random_table(random, rows=6, columns=4)
    errors = draw(st.integers(0, 8))
    return gold, misread(random, gold, errors=errors) if errors else random_table(random, rows=6, columns=4)


@given(pairs())
def test_a_correct_table_scores_one(pair):
    assert teds(pair[0], pair[0]) == 1
    assert teds(pair[0], pair[0], structure_only=True) == 1


@given(pairs())
def test_a_score_is_symmetric_and_between_zero_and_one(pair):
    gold, predicted = pair
    assert 0 <= teds(gold, predicted) <= 1
    assert teds(gold, predicted) == pytest.approx(teds(predicted, gold))


@given(pairs())
def test_structure_alone_scores_no_less_than_structure_and_content(pair):
    assert teds(*pair, structure_only=True) >= teds(*pair) - 1e-12


@given(st.integers(0, 10**6))
def test_each_completely_wrong_cell_costs_one_node(seed):
    random = Random(seed)
    gold = random_table(random, rows=6, columns=4)
    assert gold.nodes
    places = [
        (s, r, c)
        for s, part in enumerate(gold.sections)
        for r, row in enumerate(part.rows)
        for c in range(len(row))
    ]
    random.shuffle(places)
    for wrong in range(len(places) + 1):
        score = teds(gold, with_unknown_text(gold, set(places[:wrong])))
        assert score == pytest.approx(1 - wrong / gold.nodes)


def with_unknown_text(table: Table, places: set[tuple[int, int, int]]) -> Table:
    """The table with texts at these places that share no character with any text, and no tag."""
    return Table(
        tuple(
            Section(
                part.tag,
                tuple(
                    tuple(
                        Cell("□" * max(1, len(cell.content)), cell.colspan, cell.rowspan)
                        if (s, r, c) in places
                        else cell
                        for c, cell in enumerate(row)
                    )
                    for r, row in enumerate(part.rows)
                ),
            )
            for s, part in enumerate(table.sections)
        )
    )


@pytest.mark.parametrize("limit", ["MAX_NODE_PAIRS", "MAX_SECTIONS", "MAX_CHARACTER_PAIRS"])
@given(pair=pairs())
def test_beyond_a_limit_a_score_is_never_higher_than_the_exact_one(pair, limit):
    exact = teds(*pair)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, limit, 0)
        assert teds(*pair) <= exact + 1e-12
        assert teds(pair[0], pair[0]) == 1


def test_a_table_far_beyond_the_limits_with_one_row_lost_is_scored_exactly():
    rows = tuple((Cell(f"{n}"), Cell("7.00")) for n in range(20_000))
    gold = Table((Section("tbody", rows),))
    assert teds(gold, Table((Section("tbody", rows[:9000] + rows[9001:]),))) == pytest.approx(
        1 - 3 / gold.nodes
    )
