"""Tables parsed from HTML, from OTSL, and from the line items of a document."""

from random import Random

import pytest

from finscribe_trainer.documents.numbers import load_json
from finscribe_trainer.metrics.html_tables import read_html
from finscribe_trainer.metrics.otsl_tables import read_otsl
from finscribe_trainer.metrics.tables import Cell, Section, Table, line_item_table
from tests.reference.random_tables import random_table
from tests.reference.table_html import to_html


def table(*rows: str | tuple[str | Cell, ...]) -> Table:
    """A table without sections; a row is a string of words, or a tuple of texts and cells."""
    cells = [row.split() if isinstance(row, str) else row for row in rows]
    return Table(
        (Section(None, tuple(tuple(c if isinstance(c, Cell) else Cell(c) for c in row) for row in cells)),)
    )


B = ("<b>", "7", "</b>")

HTML = {
    "plain": ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", table("a b", "c")),
    "no table": ("<p>a</p><tr><td>b</td></tr>", Table()),
    "nothing": ("", Table()),
    "text around": (
        "Here: <table><tr><td>a</td></tr></table> <table><tr><td>b</td></tr></table>",
        table("a"),
    ),
    "a header cell is a cell": ("<table><tr><th>a</th></tr></table>", table("a")),
    "capitals": ('<TABLE><TR><TD COLSPAN="2">a</TD></TR></TABLE>', table((Cell("a", 2),))),
    "missing end tags": ("<table><tr><td>a<td>b<tr><td>c", table("a b", "c")),
    "a missing row": ("<table><td>a</td><td>b</td></table>", table("a b")),
    "cut off": ("<table><tr><td>a</td><td>b", table("a b")),
    "an empty row": ("<table><tr></tr><tr><td>a</td></tr></table>", table("", "a")),
    "spans": (
        "<table><tr><td colspan=2 rowspan='3'>a</td><td colspan='x' rowspan='0'>b</td></tr></table>",
        table((Cell("a", 2, 3), Cell("b"))),
    ),
    "entities": ("<table><tr><td>R&amp;D &lt;1 &euro;</td></tr></table>", table(("R&D <1 €",))),
    "a bare angle bracket": ("<table><tr><td>1 < 2</td></tr></table>", table(("1 < 2",))),
    "markup": ("<table><tr><td><b>7</b></td></tr></table>", table((Cell(B),))),
    "markup left open": ("<table><tr><td><b>7</td></tr></table>", table((Cell(B),))),
    "a break": ("<table><tr><td>a<br/></td></tr></table>", table((Cell(("a", "<br>", "</br>")),))),
    "a comment": ("<table><!-- <tr> --><tr><td>a<!-- > --></td></tr></table>", table("a")),
    "what is no cell": ("<table><caption>x</caption><tr>y<td>a</td></tr></table>", table("a")),
    "a table in a cell": (
        "<table><tr><td><table><td>7</td></table></td><td>b</td></tr></table>",
        table((Cell(("<table>", "<td>", "7", "</td>", "</table>")), "b")),
    ),
    "sections": (
        "<table><thead><tr><td>a</td></tr></thead><tr><td>b</td></tr><tbody><tr><td>c</td></tr></tbody></table>",
        Table(
            tuple(
                Section(tag, ((Cell(text),),)) for tag, text in (("thead", "a"), (None, "b"), ("tbody", "c"))
            )
        ),
    ),
}


@pytest.mark.parametrize(("text", "expected"), HTML.values(), ids=HTML)
def test_html_is_parsed_as_in_a_browser(text, expected):
    assert read_html(text) == expected


@pytest.mark.parametrize("seed", range(20))
def test_a_table_survives_conversion_to_html_and_back(seed):
    written = random_table(Random(seed), rows=8, columns=5)
    assert read_html(to_html(written)) == written


OTSL = {
    "plain": ("<fcel>a<fcel>b<nl><fcel>c<ecel><nl>", table("a b", ("c", ""))),
    "nothing": ("", Table()),
    "no cells": ("There is no table.<nl>", Table()),
    "no last line end": ("<fcel>a<nl><fcel>b", table("a", "b")),
    "blanks and blank lines": (" <fcel> a b <nl>\n<nl><fcel>c<nl>", table(("a b",), "c")),
    "angle brackets are text": ("<fcel>x <y> < z<nl>", table(("x <y> < z",))),
    "filled with nothing": ("<fcel><fcel>a<nl>", table(("", "a"))),
    "to the right": ("<fcel>a<lcel><lcel><fcel>b<nl>", table((Cell("a", 3), "b"))),
    "downwards": ("<fcel>a<fcel>b<nl><ucel><fcel>c<nl>", table((Cell("a", 1, 2), "b"), "c")),
    "both": (
        "<fcel>a<lcel><fcel>b<nl><ucel><xcel><fcel>c<nl>",
        table((Cell("a", 2, 2), "b"), "c"),
    ),
    "a cross continues a span, either way": (
        "<fcel>a<xcel><fcel>b<nl><fcel>c<fcel>d<xcel><nl>",
        table((Cell("a", 2), Cell("b", 1, 2)), ("c", Cell("d", 2))),
    ),
    "covered by no cell": ("<lcel><fcel>a<nl><fcel>b<ucel><nl>", table(("", Cell("a", 1, 2)), "b")),
    "a row too short": ("<fcel>a<fcel>b<nl><fcel>c<nl><fcel>d<fcel>e<nl>", table("a b", ("c", ""), "d e")),
    "rows mostly shorter": ("<fcel>a<ecel><ecel><nl><fcel>b<nl><fcel>c<nl>", table("a", "b", "c")),
    "a filled cell is never cut": (
        "<fcel>a<fcel>b<nl><fcel>c<nl><fcel>d<nl>",
        table("a b", ("c", ""), ("d", "")),
    ),
}


@pytest.mark.parametrize(("text", "expected"), OTSL.values(), ids=OTSL)
def test_otsl_is_parsed_as_in_the_models_own_pipeline(text, expected):
    assert read_otsl(text) == expected


def lines(head: str, *rows: tuple[str, ...]) -> Table:
    cells = tuple(tuple(map(Cell, row)) for row in (tuple(head.split()), *rows))
    return Table((Section("thead", cells[:1]), Section("tbody", cells[1:])))


LINE_ITEMS = {
    "columns in the schema's order": (
        '[{"line_total": "7.00", "description": "Ink"}, {"quantity": 2, "description": "Pen"}]',
        lines("description quantity line_total", ("Ink", "", "7.00"), ("Pen", "2", "")),
    ),
    "digits as given": ('[{"line_total": 1204.50}]', lines("line_total", ("1204.50",))),
    "a number without end": ('[{"line_total": 1e999999999}]', lines("line_total", ("1E+999999999",))),
    "a list for a text": ('[{"sku": ["A"], "description": "Ink"}]', lines("description sku", ("Ink", ""))),
    "null is absent": ('[{"description": "Ink", "sku": null}]', lines("description", ("Ink",))),
    "a box is not compared": (
        '[{"description": "Ink", "bbox": [1, 2, 3, 4]}]',
        lines("description", ("Ink",)),
    ),
    "an unknown key": ('[{"colour": "red", "sku": "A"}]', lines("sku colour", ("A", "red"))),
    "a line that is none": ('[{"sku": "A"}, 7]', lines("sku", ("A",), ("",))),
    "no lines": ("[]", Table()),
    "no list": ('"Ink"', Table()),
}


@pytest.mark.parametrize(("items", "expected"), LINE_ITEMS.values(), ids=LINE_ITEMS)
def test_line_items_become_a_table_with_a_header_row(items, expected):
    assert line_item_table(load_json(f'{{"line_items": {items}}}')) == expected


@pytest.mark.parametrize("document", [None, [], "text", {}])
def test_a_value_without_line_items_has_an_empty_table(document):
    assert line_item_table(document) == Table()
