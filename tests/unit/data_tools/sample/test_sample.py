"""The sample: small pages, right answers, and tests that share no value or layout with the training."""

import json
import random
from pathlib import Path

import pytest
from PIL import Image

from finscribe_trainer.data_tools.sample.dataset import NEW_TEMPLATE, TEST, TRAINING, write_dataset
from finscribe_trainer.data_tools.sample.documents import random_document
from finscribe_trainer.data_tools.sample.layout import COLUMNS, KNOWN, NEW, ROWS, lay_out
from finscribe_trainer.data_tools.small_pages.characters import characters
from finscribe_trainer.documents.arithmetic import check_arithmetic
from finscribe_trainer.documents.numbers import load_json
from finscribe_trainer.documents.schema import parse_document

SPLITS = {split.name: split for split in (TRAINING, TEST, NEW_TEMPLATE)}


def documents(split, count=300):
    return [random_document(random.Random(number), test=split.test) for number in range(count)]


def values(split):
    """Words, numbers, dates and line totals."""
    return {
        value
        for document in documents(split)
        for value in (
            *document.vendor.split(),
            document.client or document.vendor.split()[0],
            document.number,
            document.issued,
            *(part for item in document.items for part in (item.name, item.total)),
        )
    }


def read(file: Path):
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_a_page_and_its_answer():
    rng = random.Random(5)
    document = random_document(rng, test=False)

    page = lay_out(document, KNOWN, rng)

    assert [row.rstrip() for row in page] == [
        "Date:     2020/07/12",
        "Invoice # 07302157",
        "   Rzeszów Sklep",
        "Bill to    Werkzeuge",
        "thermometer     5.87",
        "Pas             7.48",
        "Subtotal       13.35",
        "Tax             2.54",
        "Total USD      15.89",
        "",
    ]
    assert json.loads(document.answer()) == {
        "document_type": "invoice",
        "vendor": {"name": "Rzeszów Sklep"},
        "client": {"name": "Werkzeuge"},
        "invoice_number": "07302157",
        "issue_date": "2020-07-12",
        "line_items": [
            {"description": "thermometer", "line_total": "5.87"},
            {"description": "Pas", "line_total": "7.48"},
        ],
        "financial_summary": {
            "subtotal": "13.35",
            "tax_amount": "2.54",
            "grand_total": "15.89",
            "currency": "USD",
        },
    }


def test_no_value_of_the_training_occurs_in_a_test():
    assert not values(TRAINING) & values(TEST)


@pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS)
def test_answers_match_the_schema_and_add_up(split):
    for document in documents(split):
        answer = load_json(document.answer())
        parse_document(answer)
        assert check_arithmetic(answer) == []


@pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS)
def test_pages_show_each_value_of_the_answer_in_known_characters(split):
    for number, document in enumerate(documents(split)):
        page = lay_out(document, split.style, random.Random(number))
        text = "\n".join(page)
        assert [len(row) for row in page] == [COLUMNS] * ROWS
        assert set(text) - {"\n"} <= set(characters())
        answer = json.loads(document.answer())
        shown = [
            document.vendor,
            document.client or "",
            document.number,
            *answer["financial_summary"].values(),
        ]
        shown += [value for item in answer["line_items"] for value in item.values()]
        assert [value for value in shown if value not in text] == []


def test_a_new_template_has_no_line_order_label_or_date_format_of_the_training():
    for name in ("heads", "dates", "clients", "subtotals", "taxes", "totals"):
        assert not set(getattr(KNOWN, name)) & set(getattr(NEW, name))
    assert not {label for labels in KNOWN.numbers.values() for label in labels} & {
        label for labels in NEW.numbers.values() for label in labels
    }


def test_a_seed_writes_the_same_files(tmp_path):
    for name in ("first", "second"):
        write_dataset(tmp_path / name, 2, 1, seed=5, num_test_rows=1)

    first = {path.relative_to(tmp_path / "first"): path for path in tmp_path.glob("first/**/*.*")}
    assert {str(path) for path in first} >= {
        "train.jsonl", "val.jsonl", "test.jsonl", "test-template.jsonl", "images/train-0001.png"
    }  # fmt: skip
    assert all(path.read_bytes() == (tmp_path / "second" / name).read_bytes() for name, path in first.items())
    with Image.open(tmp_path / "first/images/train-0000.png") as page:
        assert page.size == (14 * COLUMNS, 28 * ROWS)


def test_rows_of_text_have_the_lines_of_the_page_instead_of_its_image(tmp_path):
    write_dataset(tmp_path, 4, 0, seed=5, text_row_every=4)

    rows = read(tmp_path / "train.jsonl")

    assert [("input" in row, "image" in row) for row in rows] == [
        (False, True), (True, False), (False, True), (False, True)
    ]  # fmt: skip
    assert json.loads(rows[1]["output"])["vendor"]["name"] in rows[1]["input"]
    assert not (tmp_path / "val.jsonl").exists()
