"""Other field names and notations become those of the canonical schema; what can't be converted is named."""

import re
from decimal import Decimal

import pytest

from finscribe_core.errors import UserError
from finscribe_trainer.data_tools.importing.mapping import FieldMapping, MappingError, read_mapping
from finscribe_trainer.data_tools.importing.proposal import write_proposal
from finscribe_trainer.data_tools.importing.values import DocumentValueError, to_decimal, to_iso
from finscribe_trainer.documents.schema import parse_document

GERMAN = {
    "Rechnungsnummer": "R-1",
    "Rechnungsdatum": "31.01.2026",
    "Fällig am": "14. Februar 2026",
    "Lieferant": {"Firma": "Nordlicht GmbH", "Straße": "Hafenstr. 12", "PLZ": 24103, "USt-IdNr": "DE1"},
    "Kunde": "Café Anker",
    "Positionen": [
        {"Bezeichnung": "Lampe", "Menge": 2, "Einzelpreis": "1.000,00 €", "Gesamt": "2.000,00 €"},
        {"Bezeichnung": "Birne", "Menge": 1, "Gesamt": "4,20 €"},
    ],
    "MwSt": "380,80 €",
    "Gesamtbetrag": "2.385,00 €",
    "Notiz": "bar",
}
ENGLISH = {
    "invoice_no": "INV-1",
    "date": "12/31/2025",
    "seller_name": "Acme",
    "Seller Address": "1 Main St",
    "customer": {"name": "Bob", "city": "Albany"},
    "items": [{"desc": "Tea", "qty": "2", "price": "$2.00", "amount": "$4.00"}],
    "tax": Decimal("0.50"),
    "total": "$1,234.50",
    "date_text": "New Year's Eve",
}
RECEIPT = {"company": "Shop 1", "date": "01/02/2026", "address": "1 Main St", "total": "1.50"}
EXPECTED = {
    "German": (GERMAN, {
        "document_type": "invoice",
        "vendor": {"name": "Nordlicht GmbH", "address": {"street": "Hafenstr. 12", "zip": "24103"},
                   "tax_id": "DE1"},
        "client": {"name": "Café Anker"},
        "invoice_number": "R-1",
        "issue_date": "2026-01-31",
        "due_date": "2026-02-14",
        "line_items": [
            {"description": "Lampe", "quantity": 2, "unit_price": "1000.00", "line_total": "2000.00"},
            {"description": "Birne", "quantity": 1, "line_total": "4.20"},
        ],
        "financial_summary": {"tax_amount": "380.80", "grand_total": "2385.00", "currency": "EUR"},
    }, ["Notiz"]),
    "English": (ENGLISH, {
        "document_type": "invoice",
        "vendor": {"name": "Acme", "address": {"street": "1 Main St"}},
        "client": {"name": "Bob", "address": {"city": "Albany"}},
        "invoice_number": "INV-1",
        "issue_date": "2025-12-31",
        "line_items": [{"description": "Tea", "quantity": "2", "unit_price": "2.00", "line_total": "4.00"}],
        "financial_summary": {"tax_amount": Decimal("0.50"), "grand_total": "1234.50", "currency": "USD"},
    }, ["date_text"]),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "expected", "unmatched"), EXPECTED.values(), ids=EXPECTED)
def test_the_proposal_for_ordinary_names_gives_a_valid_document(answer, expected, unmatched, tmp_path):
    path = tmp_path / "fields.yaml"
    write_proposal(path, [answer])
    mapping = read_mapping(path)
    mapped, unknown = mapping.apply(answer)
    assert (mapped, unknown) == (expected, [])
    assert [field for field, target in mapping.fields.items() if target is None] == unmatched
    parse_document(mapped)


def test_a_date_that_may_be_two_days_is_asked_for(tmp_path):
    write_proposal(tmp_path / "fields.yaml", [RECEIPT])
    mapping = read_mapping(tmp_path / "fields.yaml")
    assert mapping.fields["date"] == "issue_date"
    with pytest.raises(MappingError, match="date: '01/02/2026' may be two dates: set day_first"):
        mapping.apply(RECEIPT)
    mapped, _ = mapping.model_copy(update={"day_first": False}).apply(RECEIPT)
    assert (mapped["issue_date"], mapped["document_type"]) == ("2026-01-02", "receipt")


def test_fields_outside_the_mapping_are_named_and_metadata_is_kept():
    mapping = FieldMapping(fields={"total": "financial_summary.grand_total", "id": "metadata.id", "x": None})
    mapped, unknown = mapping.apply({"total": "1.00", "id": 7, "x": 1, "rows": [{"a": 1}]})
    assert mapped == {"financial_summary": {"grand_total": "1.00"}, "metadata": {"id": "7"}}
    assert unknown == ["rows[].a"]
    with pytest.raises(MappingError, match="no field of its answer is in the mapping"):
        mapping.apply({"other": 1})


INVALID = {
    "an unknown field": ("fields: {a: vendor.nmae}", "vendor.nmae is no field of the canonical schema"),
    "a list that is none": ("fields: {a: 'line_items[].sku'}", "a list can only become a list"),
    "an unknown key": ("fields: {}\nfeilds: {}", "feilds"),
    "no YAML": ("fields: {", "fields.yaml:1: not valid YAML"),
}


@pytest.mark.parametrize(("text", "message"), INVALID.values(), ids=INVALID)
def test_an_invalid_mapping_is_refused_by_file(text, message, tmp_path):
    (tmp_path / "fields.yaml").write_text(text)
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        read_mapping(tmp_path / "fields.yaml")
    assert "fields.yaml" in str(caught.value)


DATES = {"2026-1-3": "2026-01-03", "2026/01/31T10:00": "2026-01-31", "3.1.26": "2026-01-03",
         "31-01-2026": "2026-01-31", "Jan. 31, 2026": "2026-01-31", "31st January 2026": "2026-01-31",
         "5. Mai 2026": "2026-05-05"}  # fmt: skip
AMOUNTS = {
    "1,204.50": "1204.50",
    "-5": "-5",
    "(7.00)": "-7.00",
    "USD 1 204.50": "1204.50",
    "19 %": "19",
    "£3": "3",
}


@pytest.mark.parametrize(("text", "date"), DATES.items())
def test_a_date_is_read_in_many_notations(text, date):
    assert to_iso(text, day_first=True) == date


@pytest.mark.parametrize(("text", "amount"), AMOUNTS.items())
def test_an_amount_is_read_in_many_notations(text, amount):
    assert to_decimal(text, ".") == amount


@pytest.mark.parametrize("text", ["31.02.2026", "13/13/2026", "soon", "2026", ""])
def test_what_is_no_date_is_refused(text):
    with pytest.raises(DocumentValueError):
        to_iso(text, day_first=True)


@pytest.mark.parametrize("text", ["1.204,50", "1,20,4", "about 5", "", "1.2.3", True])
def test_what_is_no_amount_in_this_notation_is_refused(text):
    with pytest.raises(DocumentValueError):
        to_decimal(text, ".")
