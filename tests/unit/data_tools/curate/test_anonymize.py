import json
import re
from decimal import Decimal

import pytest

from finscribe_core.errors import UserError
from finscribe_trainer.data_tools.curate.anonymize import anonymize_rows
from finscribe_trainer.data_tools.curate.name_matching import KnownNames, replace
from finscribe_trainer.data_tools.curate.pseudonyms import Pseudonyms
from finscribe_trainer.data_tools.validate.personal_data import is_iban
from finscribe_trainer.documents.arithmetic import check_arithmetic
from finscribe_trainer.documents.numbers import load_json
from finscribe_trainer.documents.schema import parse_document
from tests.unit.data_tools.curate.documents import INVOICE, read_lines, write_lines

KEY = b"a key of the tests"
PAGE = """ACME  METALL GMBH, Hauptstraße 5, 45127 Essen. Tel. 0201 555-1234, billing@acme-metall.de
Invoice INV-7 of 2026-01-31 to Borg & Sons Ltd. Bolts 2 x 5.00 = 10.00 total 14.50
Account DE89 3704 0044 0532 0130 00 BANK"""
ORIGINALS = ("acme", "hauptstra", "45127", "essen", "555", "borg", "3704", "123456789")


@pytest.fixture
def anonymous(tmp_path):
    """Anonymizes rows and returns the result."""

    def run(*rows: object, key: bytes = KEY) -> list[dict]:
        source, output = write_lines(tmp_path / "rows.jsonl", *rows), tmp_path / "anonymous.jsonl"
        output.unlink(missing_ok=True)
        anonymize_rows(source, output, key, drop_images=True)
        return read_lines(output)

    return run


def test_no_original_remains_and_the_arithmetic_is_unchanged(anonymous):
    [row] = anonymous({"instruction": "Read.", "input": PAGE, "output": json.dumps(INVOICE)})
    text = json.dumps(row, ensure_ascii=False).casefold()
    assert [original for original in ORIGINALS if original in text] == []
    answer = load_json(row["completion"])
    parse_document(answer)
    assert check_arithmetic(answer) == []
    kept = ("document_type", "invoice_number", "issue_date", "financial_summary")
    assert {key: answer[key] for key in kept} == {key: INVOICE[key] for key in kept}
    assert "2026-01-31" in row["prompt"]
    assert "2 x 5.00 = 10.00 total 14.50" in row["prompt"]


def test_an_original_has_the_same_pseudonym_in_all_prompts_and_answers(anonymous):
    first, second = anonymous(
        {"prompt": PAGE, "completion": INVOICE},
        {"prompt": "A letter of Borg & Sons Ltd.", "completion": {"from": "borg & sons ltd."}},
    )
    answer = json.loads(first["completion"])
    client, vendor = answer["client"]["name"], answer["vendor"]
    assert client.endswith(" Ltd.")
    assert client in first["prompt"]
    assert answer["line_items"][1]["description"] == f"Nuts for {client}"
    assert second == {"prompt": f"A letter of {client}", "completion": json.dumps({"from": client})}
    for stand_in in (vendor["name"], vendor["address"]["street"], vendor["address"]["city"]):
        assert stand_in in first["prompt"]
    assert vendor["contact"]["email"] in first["prompt"]


def test_pseudonyms_depend_only_on_the_key(anonymous):
    row = {"prompt": "x", "completion": INVOICE}
    assert anonymous(row) == anonymous(row)
    assert anonymous(row) != anonymous(row, key=b"another key of tests")


def test_keys_that_training_does_not_read_are_dropped(anonymous):
    [row] = anonymous({"prompt": "x", "completion": "y", "source_file": "borg.pdf", "image": "borg.png"})
    assert row == {"prompt": "x", "completion": "y"}


def test_a_row_with_an_image_is_rejected_unless_images_are_dropped(tmp_path):
    source = write_lines(tmp_path / "rows.jsonl", {"prompt": "x", "completion": "y", "image": "a.png"})
    with pytest.raises(UserError, match=r"rows\.jsonl:1: the row has an image"):
        anonymize_rows(source, tmp_path / "out.jsonl", KEY, drop_images=False)
    assert not (tmp_path / "out.jsonl").exists()


STAND_INS = {
    "a phone number keeps its shape": ("phone", "+49 201 555 1234", r"\+49 \d{3} \d{3} \d{4}"),
    "a VAT number keeps its country": ("number", "DE123456789", r"DE\d{9}"),
    "a British postal code keeps its shape": ("postcode", "SW1A 1AA", r"[A-Z]{2}\d[A-Z] \d[A-Z]{2}"),
    "a company keeps its legal form": ("name", "Muster Söhne GmbH & Co. KG", r".+ & .+ GmbH & Co\. KG"),
    "a mail address is in a reserved domain": ("email", "a@b.com", r"[^@]+@[^@]+\.example"),
    "a web address keeps its start": ("website", "https://www.b.com/", r"https://www\.[^/]+\.example"),
}


@pytest.mark.parametrize(("kind", "original", "shape"), STAND_INS.values(), ids=STAND_INS)
def test_a_pseudonym_has_the_format_of_its_original(kind, original, shape):
    stand_in = getattr(Pseudonyms(KEY), kind)(original)
    assert re.fullmatch(shape, stand_in)
    assert stand_in != original


def test_an_iban_has_valid_check_digits():
    for n in range(50):
        assert is_iban(Pseudonyms(str(n).encode()).iban("DE89 3704 0044 0532 0130 00"))
        assert is_iban(Pseudonyms(str(n).encode()).iban("GB29NWBK60161331926819"))


def test_a_number_has_one_pseudonym_in_every_format():
    made = Pseudonyms(KEY)
    assert made.phone("+49 201-555").replace("-", " ") == made.phone("+49 201 555")
    assert made.name("ACME  Inc.") == made.name("Acme Inc.")


def test_a_name_of_one_word_is_not_found_in_ordinary_words():
    names = KnownNames()
    names.add("name", "Apple", "Quince")
    names.add("name", "Apple Pie Inc.", "Tart Inc.")
    page = "apple juice of Apple; APPLE PIE\ninc. and Apple Pie Inc."
    text, kinds = replace(page, names.find(page))
    assert text == "apple juice of Quince; Tart Inc. and Tart Inc."
    assert kinds == ["name"] * 3


def test_amounts_equal_to_a_postal_code_are_kept(anonymous):
    document = {**INVOICE, "vendor": {**INVOICE["vendor"], "address": {"zip": "1000", "city": "Bern"}}}
    document["financial_summary"] = {"grand_total": 1000, "currency": "CHF"}
    [row] = anonymous({"prompt": "Bern, total 1000 CHF", "completion": document})
    assert "total 1000 CHF" in row["prompt"]
    assert load_json(row["completion"])["financial_summary"]["grand_total"] == Decimal(1000)


def _with(vendor: object, **more: object) -> dict:
    return {**INVOICE, "vendor": vendor, **more}


LEAKS = {
    "an answer of no document_type": ({"vendor": {"name": "Zyx Handel"}}, "From Zyx Handel", "zyx"),
    "a vendor that is a text": ({"vendor": "Zyx Handel"}, "From Zyx Handel", "zyx"),
    "a tax number that is a number": (
        _with({"name": "A", "tax_id": 987654321}),
        "VAT 987654321",
        "987654321",
    ),
    "a name in other case": (_with({"name": "ZYX"}), "Your Zyx team", "zyx"),
    "a name with accents encoded apart": (_with({"name": "Müller Öl"}), "Mu\u0308ller O\u0308l", "ller"),
    "a name without spaces around it": (_with({"name": "北京科技"}), "致北京科技公司的发票", "北京"),
    "a web address written otherwise": (
        _with({"name": "A", "contact": {"website": "www.zyx-shop.com"}}),
        "See https://zyx-shop.com/terms",
        "zyx",
    ),
    "a tax number in metadata": (
        _with({"name": "A", "tax_id": "987654321"}, metadata={"vat": "987654321"}),
        "",
        "987654321",
    ),
    "a name as a key of metadata": (_with({"name": "Zyx Handel"}, metadata={"Zyx Handel": 1}), "", "zyx"),
}


@pytest.mark.parametrize(("answer", "prompt", "leak"), LEAKS.values(), ids=LEAKS)
def test_a_name_is_found_at_every_position(anonymous, answer, prompt, leak):
    [row] = anonymous({"prompt": f"Read. {prompt}", "completion": answer})
    assert leak not in json.dumps(row, ensure_ascii=False).casefold()


def test_a_year_equal_to_a_postal_code_is_kept(anonymous):
    client = {"name": "B", "address": {"zip": "2026"}}
    [row] = anonymous({"prompt": "Of 2026-01-31", "completion": {**INVOICE, "client": client}})
    assert row["prompt"] == "Of 2026-01-31"


def test_a_name_in_capitals_has_the_same_pseudonym():
    pseudonyms = Pseudonyms(KEY)
    assert pseudonyms.name("ACME GMBH").casefold() == pseudonyms.name("Acme GmbH").casefold()
