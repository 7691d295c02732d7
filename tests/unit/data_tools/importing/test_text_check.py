"""`--text-layer check` names the values that the text of a PDF does not have."""

import json

import pytest

from finscribe_trainer.data_tools.importing.text_check import not_in_text
from tests.support.command import finscribe
from tests.unit.data_tools.importing.documents import pdf

TEXT = "RECHNUNG Nr. R-17/2\nAcme GmbH\nPendel-\nleuchte 3 Stk.\nSumme 1.204,50 EUR\n31.01.2026 ﬁnal"


@pytest.mark.parametrize(
    ("value", "is_there"),
    [
        ("R-17/2", True),
        ("acme GMBH", True),
        ("Pendelleuchte", True),
        ("1204.50", True),
        ("1204.5", True),
        ("1204.60", False),
        ("R-18/2", False),
        ("final", True),
        ("2026-12-24", True),
    ],
)
def test_values_are_compared_by_letters_and_digits(value, is_there):
    answer = {"vendor": {"name": value}, "document_type": "invoice", "financial_summary": {"currency": "USD"}}
    assert not_in_text(answer, TEXT) == ([] if is_there else ["vendor.name"])


def text_pdf(path, text):
    """A PDF of one page with a line of text, without the table of offsets, which readers rebuild."""
    stream = f"BT /F1 12 Tf 10 40 Td ({text}) Tj ET"
    path.write_text(
        "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        "2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 60]/Contents 4 0 R"
        "/Resources<</Font<</F1 5 0 R>>>>>>endobj\n"
        f"4 0 obj<</Length {len(stream)}>>stream\n{stream}\nendstream endobj\n"
        "5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\n"
        "trailer<</Root 1 0 R>>\n"
    )


def test_an_import_warns_of_values_that_a_text_layer_lacks_and_keeps_all_rows(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        text_pdf(tmp_path / f"in/{name}.pdf", "Invoice R-1 Total 1,204.50")
    pdf(tmp_path / "in/scan.pdf", 20)
    for name, number in (("a", "R-1"), ("b", "R-2"), ("scan", "R-3")):
        answer = {"invoice_number": number, "financial_summary": {"grand_total": "1204.50"}}
        (tmp_path / f"in/{name}.json").write_text(json.dumps(answer))

    done = finscribe(["data", "import", "in", "out", "--text-layer", "check"], tmp_path)

    assert "b.json: its text does not have the value of invoice_number." in done.output
    assert "2 documents have a text layer; 1 of them lack a value." in done.output
    assert len((tmp_path / "out/rows.jsonl").read_text().splitlines()) == 3
    report = json.loads((tmp_path / "out/import.json").read_text())
    assert list(report["not_in_text_layer"].values()) == [["invoice_number"]]
