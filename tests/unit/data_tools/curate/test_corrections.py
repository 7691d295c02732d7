import copy
import json
import re

import pytest
from click.testing import CliRunner
from PIL import Image

from finscribe_core.errors import UserError
from finscribe_trainer.cli.corrections import corrections
from finscribe_trainer.data.rows import parse_row
from finscribe_trainer.data_tools.curate.corrections import write_corrections
from finscribe_trainer.data_tools.curate.path_edits import EditError, apply_corrections
from finscribe_trainer.documents.schema import parse_document, to_answer
from tests.unit.data_tools.curate.documents import INVOICE, read_lines, write_lines

LINES = {"a": [{"q": 1}, {"q": 2}, {"q": 3}], "v": {"n": "x", "t": "y"}}
EDITS = {
    "a field": ({"v.n": "z"}, {**LINES, "v": {"n": "z", "t": "y"}}),
    "a field removed": ({"v.t": None}, {**LINES, "v": {"n": "x"}}),
    "a field that was not there": ({"w.n": "z"}, {**LINES, "w": {"n": "z"}}),
    "nothing removed": ({"w.n": None}, LINES),
    "a line's field": ({"a[1].q": 7}, {**LINES, "a": [{"q": 1}, {"q": 7}, {"q": 3}]}),
    "a line appended": ({"a[3]": {"q": 4}}, {**LINES, "a": [*LINES["a"], {"q": 4}]}),
    "a line appended field by field": ({"a[3].q": 4}, {**LINES, "a": [*LINES["a"], {"q": 4}]}),
    "a line inserted": ({"a[+0]": {"q": 0}}, {**LINES, "a": [{"q": 0}, *LINES["a"]]}),
    "lines removed, and another changed by its old position": (
        {"a[0]": None, "a[1]": None, "a[2].q": 9},
        {**LINES, "a": [{"q": 9}]},
    ),
    "a line replaced by one before it": (
        {"a[1]": None, "a[+1]": {"q": 8}},
        {**LINES, "a": [{"q": 1}, {"q": 8}, {"q": 3}]},
    ),
}


@pytest.mark.parametrize(("edits", "right"), EDITS.values(), ids=EDITS)
def test_corrections_use_the_indices_of_the_prediction(edits, right):
    before = copy.deepcopy(LINES)
    assert apply_corrections(LINES, edits) == right
    assert apply_corrections(LINES, dict(reversed(edits.items()))) == right
    assert before == LINES


@pytest.mark.parametrize("path", ["", "a[", ".a", "[0]", "a[+0].q", "a..b", "a[9].q", "a[9]", "a.q", "v[0]"])
def test_a_path_that_does_not_exist_is_rejected(path):
    with pytest.raises(EditError, match=r"path|position|object|line"):
        apply_corrections(LINES, {path: 1})


def review(image: str = "1.png", **fields: object) -> dict:
    wrong = copy.deepcopy(INVOICE)
    wrong["line_items"][0]["quantity"] = "3"
    return {
        "image": image,
        "predicted": json.dumps(wrong),
        "corrections": {"line_items[0].quantity": "2"},
        "reviewer": "kim",
        "status": "accepted",
        **fields,
    }


@pytest.fixture
def source(tmp_path):
    for n in range(1, 4):
        Image.new("L", (8, 8)).save(tmp_path / f"{n}.png")
    return lambda *reviews: write_lines(tmp_path / "corrections.jsonl", *reviews)


def test_an_accepted_review_becomes_a_valid_row(source, tmp_path):
    outcome = write_corrections(source(review()), tmp_path / "rows.jsonl")
    [row] = read_lines(tmp_path / "rows.jsonl")
    assert outcome.counts == {"written": 1}
    assert row["output"] == to_answer(parse_document(INVOICE))
    assert parse_row(row).images == ("1.png",)


def test_the_last_review_that_is_not_pending_decides(source, tmp_path):
    later = review(corrections={}, corrected={**INVOICE, "invoice_number": "INV-8"})
    del later["corrections"]
    outcome = write_corrections(
        source(
            review(),
            review("2.png"),
            review("3.png", status="pending"),
            review("2.png", status="rejected"),
            later,
            review(status="pending"),
        ),
        tmp_path / "rows.jsonl",
    )
    [row] = read_lines(tmp_path / "rows.jsonl")
    assert json.loads(row["output"])["invoice_number"] == "INV-8"
    assert outcome.counts == {"superseded": 2, "pending": 2, "rejected": 1, "written": 1}


def test_a_review_of_several_pages_becomes_a_row_with_all_of_them(source, tmp_path):
    pages = {**review(), "image": "", "images": ["2.png", "1.png"]}
    later = {**pages, "images": ["./2.png", "1.png"], "corrected": INVOICE}
    del later["corrections"]
    outcome = write_corrections(source(pages, later), tmp_path / "rows.jsonl")
    [row] = read_lines(tmp_path / "rows.jsonl")
    assert outcome.counts == {"superseded": 1, "written": 1}
    assert parse_row(row).images == ("./2.png", "1.png")


BAD = {
    "status": (review(status="ok"), "status must be accepted, rejected or pending, not 'ok'"),
    "does not add up": (review(corrections={}), r"\[.+\] line_items\[0\]"),
    "schema": (review(corrections={"line_items[0].quantity": "2", "vendor": None}), "vendor"),
    "predicted no JSON": (review(predicted="Total 12"), "predicted is not valid JSON .* as `corrected`"),
    "path": (review(corrections={"line_items[9].quantity": 1}), r"corrections: 'line_items\[9\].quantity'"),
    "image": (review("9.png"), "image '9.png' does not exist"),
    "both": (review(corrected=INVOICE), "exclude each other"),
    "one of the pages": ({**review(), "image": "", "images": ["1.png", "9.png"]}, "'9.png' does not exist"),
    "pages and a page": ({**review(), "images": ["1.png"]}, "image and images exclude each other"),
    "no document": (review(image=""), "image, images, input or prompt must identify"),
}


@pytest.mark.parametrize(("bad", "message"), BAD.values(), ids=BAD)
def test_an_invalid_review_is_excluded_and_reported(bad, message, source, tmp_path):
    outcome = write_corrections(source(review("3.png"), bad), tmp_path / "rows.jsonl")
    [line] = outcome.excluded
    assert line.startswith(f"{tmp_path}/corrections.jsonl:2: ")
    assert re.search(message, line)


def test_the_command_writes_valid_reviews_and_fails_for_the_others(source, tmp_path):
    reviews, output = source(review(), review("2.png", corrections={})), tmp_path / "o.jsonl"
    result = CliRunner().invoke(corrections, ["--input", str(reviews), "--output", str(output)])
    assert isinstance(result.exception, UserError)
    assert "corrections.jsonl:2" in result.exception.message
    assert "1 excluded, 1 written" in result.output
    assert len(read_lines(output)) == 1


def test_a_review_with_a_warning_becomes_a_row(tmp_path):
    paid_before = {**INVOICE, "due_date": "2026-01-01"}
    review = {"input": "A page", "predicted": paid_before, "status": "accepted"}
    outcome = write_corrections(write_lines(tmp_path / "reviews.jsonl", review), tmp_path / "rows.jsonl")
    assert outcome.counts == {"written": 1}


BAD_CHARACTERS = {
    "a position of thousands of digits": {"corrections": {f"line_items[{'9' * 5000}]": 1}},
    "half a character in a prediction": {"predicted": json.dumps({**INVOICE, "po_number": "\ud800"})},
    "a deep prediction": {"predicted": '{"a": ' + "[" * 500 + "]" * 500 + "}"},
}


@pytest.mark.parametrize("bad", BAD_CHARACTERS.values(), ids=BAD_CHARACTERS)
def test_ambiguous_reviews_are_excluded(bad, tmp_path):
    good = {"input": "A page", "predicted": INVOICE, "status": "accepted"}
    source = write_lines(tmp_path / "reviews.jsonl", good, {**good, "input": "Another", **bad})
    outcome = write_corrections(source, tmp_path / "rows.jsonl")
    assert outcome.counts == {"written": 1, "excluded": 1}


def test_different_paths_of_an_image_are_the_same_document(tmp_path):
    Image.new("RGB", (28, 28)).save(tmp_path / "a.png")
    review = {"image": "a.png", "predicted": INVOICE, "status": "accepted"}
    rejected = {**review, "image": "./a.png", "status": "rejected"}
    other = {**review, "image": None, "input": "A page"}
    source = write_lines(tmp_path / "reviews.jsonl", {**other, "image": ""}, review, rejected)
    outcome = write_corrections(source, tmp_path / "rows.jsonl")
    assert outcome.counts == {"written": 1, "superseded": 1, "rejected": 1}
