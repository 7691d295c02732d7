"""`finscribe predict` with the small model that ships, on pages that show JSON."""

import csv
import json
import re
import shutil
from dataclasses import replace

import pytest
from PIL import Image

from finscribe_core.constants import BUILT_IN_MODEL
from finscribe_core.errors import FinscribeError
from finscribe_trainer.data.rows import parse_row
from finscribe_trainer.evaluation.calibration import write_calibration
from finscribe_trainer.metrics.straight_through import Threshold
from finscribe_trainer.model.built_in import find_built_in_model
from tests.support.command import finscribe
from tests.support.small_page import draw_page
from tests.unit.data_tools.curate.documents import INVOICE
from tests.unit.prediction.test_review import CALIBRATION

pytestmark = pytest.mark.train

PAGES = {
    "total.png": ('{"total":"7.50"}',),
    "long.png": ("{", '"vendor": "Kim Tea",', '"total": 31.20', "}"),
}
MODEL = ("predict", "--model", BUILT_IN_MODEL, "--prompt", "OCR:", "--max-new-tokens", "48")


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """A folder with pages, a damaged one, and everything that one call writes about them."""
    folder = tmp_path_factory.mktemp("read")
    (folder / "scans").mkdir()
    for name, lines in PAGES.items():
        draw_page(*lines).save(folder / "scans" / name)
    (folder / "scans/damaged.png").write_bytes(b"\x89PNG damaged")
    options = ("--schema", "none", "--output", "out.jsonl", "--html", "out.html", "--draft", "review.jsonl")
    result = finscribe([*MODEL, "scans", *options], folder)
    return folder, result


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def by_name(path):
    return {line["file"].rpartition("/")[2]: line for line in lines_of(path)}


def again(folder, *arguments):
    return finscribe([*MODEL, "scans", "--schema", "none", *arguments], folder)


@pytest.fixture
def copy(read, tmp_path):
    """A copy of the folder: pages and answers, without page and reviews."""
    for name in ("out.jsonl", *(f"scans/{page}" for page in PAGES)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((read[0] / name).read_bytes())
    return tmp_path


def test_every_document_has_an_answer_or_an_error_and_errors_are_counted(read):
    folder, result = read
    found = by_name(folder / "out.jsonl")
    assert list(found) == ["damaged.png", "long.png", "total.png"]
    assert found["total.png"]["answer"] == {"total": "7.50"}
    assert not found["total.png"]["repaired"]
    assert 0.5 < found["total.png"]["confidence"]["total"] < 1
    assert found["damaged.png"]["answer"] is None
    assert "damaged" in found["damaged.png"]["error"]
    assert isinstance(result.exception, FinscribeError)
    assert result.exception.exit_code == 78
    assert "1 documents could not be read" in str(result.exception)
    assert "3 documents, 1 with an error" in result.output


def test_an_answer_that_is_no_strict_json_is_marked_and_its_text_is_kept(read):
    answer = by_name(read[0] / "out.jsonl")["long.png"]
    assert answer["repaired"]
    assert answer["text"].startswith("{")
    with pytest.raises(ValueError, match=r".+"):
        json.loads(answer["text"])
    assert answer["answer"]["vendor"] == "Kim Tea"
    assert answer["cut_off"] == (answer["tokens"] == 48)


def test_what_has_an_answer_is_not_read_again(copy):
    first, *others = lines_of(copy / "out.jsonl")
    assert first["error"]
    other = others[0] | {"answer": {"from": "an earlier call"}}
    lines = [json.dumps(first), json.dumps(other), '{"file": "scans/tot']  # the last one was cut off
    (copy / "out.jsonl").write_text("\n".join(lines))
    result = again(copy, "--output", "out.jsonl")
    assert result.exit_code == 0, result.exception
    found = by_name(copy / "out.jsonl")
    assert found["long.png"]["answer"] == other["answer"]
    assert found["total.png"]["answer"] == {"total": "7.50"}
    assert found["damaged.png"] == first  # no input now: it stays


CHANGES = {
    "another page": lambda folder: draw_page('{"total":"2.50"}').save(folder / "scans/total.png"),
    "an answer that was cut off earlier": lambda folder: (folder / "out.jsonl").write_text(
        "\n".join(
            json.dumps(line | {"cut_off": True, "tokens": 3, "answer": {}})
            for line in lines_of(folder / "out.jsonl")
        )
        + "\n"
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_document_is_read_again_after(change, copy):
    before = by_name(copy / "out.jsonl")["total.png"]
    change(copy)
    assert again(copy, "--output", "out.jsonl").exit_code == 0
    after = by_name(copy / "out.jsonl")["total.png"]
    assert (after["answer"], after["document"]) != (before["answer"], before["document"]) or (
        not after["cut_off"] and after["answer"] == {"total": "7.50"}
    )
    assert len(lines_of(copy / "out.jsonl")) == 3


def test_answers_of_another_model_are_refused_unless_they_may_be_replaced(copy):
    lines = [line | {"model": "other"} for line in lines_of(copy / "out.jsonl")]
    (copy / "out.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = again(copy, "--output", "out.jsonl")
    assert "another model" in str(result.exception)
    assert lines_of(copy / "out.jsonl") == lines
    assert again(copy, "--output", "out.jsonl", "--overwrite").exit_code == 0
    assert by_name(copy / "out.jsonl").keys() == PAGES.keys()


def test_a_table_has_a_row_for_each_field_and_problems_are_at_their_fields(copy):
    schema = {"type": "object", "required": ["day"], "properties": {"total": {"type": "number"}}}
    (copy / "schema.json").write_text(json.dumps({"$schema": "", **schema}))
    result = finscribe([*MODEL, "scans/total.png", "--schema", "schema.json", "--output", "out.csv"], copy)
    assert result.exit_code == 0, result.exception
    field, missing = csv.DictReader((copy / "out.csv").read_text().splitlines())
    assert (field["field"], field["value"]) == ("total", "7.50")
    assert 0.5 < float(field["confidence"]) < 1
    assert "number" in field["problem"]
    assert "day" in missing["problem"]
    assert not list(copy.glob("out.csv.*"))


def test_without_an_output_the_answers_are_printed(copy):
    result = finscribe([*MODEL, "scans/total.png", "--schema", "none"], copy)
    assert json.loads(result.stdout)["answer"] == {"total": "7.50"}
    listed = finscribe([*MODEL, "scans/total.png", "--schema", "none", "--format", "json"], copy)
    assert [line["answer"] for line in json.loads(listed.stdout)] == [{"total": "7.50"}]


def test_a_draft_that_a_person_completes_becomes_a_training_row(read, tmp_path):
    folder, _ = read
    drafts = lines_of(folder / "review.jsonl")
    assert [draft["image"] for draft in drafts] == ["scans/long.png", "scans/total.png"]
    assert {draft["status"] for draft in drafts} == {"pending"}
    untouched = finscribe(["data", "corrections", "--input", "review.jsonl", "--output", "no.jsonl"], folder)
    assert "no review could be converted" in str(untouched.exception)
    reviewed = [draft | {"status": "accepted", "corrected": INVOICE} for draft in drafts]
    (folder / "reviewed.jsonl").write_text("".join(json.dumps(line) + "\n" for line in reviewed))
    result = finscribe(["data", "corrections", "--input", "reviewed.jsonl", "--output", "rows.jsonl"], folder)
    assert result.exit_code == 0, result.exception
    rows = [parse_row(row) for row in lines_of(folder / "rows.jsonl")]
    assert [row.images for row in rows] == [("scans/long.png",), ("scans/total.png",)]
    assert {row.turns[0].text for row in rows} == {"OCR:"}


def test_images_elsewhere_are_linked_beside_the_reviews(copy):
    draft = copy / "reviews/draft.jsonl"
    result = again(copy, "--draft", str(draft), "--output", "out.jsonl")
    assert result.exit_code == 0, result.exception
    [_long, total] = [line["image"] for line in lines_of(draft)]
    assert re.fullmatch(r"draft-images/[0-9a-f]{12}-total.png", total)
    assert (draft.parent / total).read_bytes() == (copy / "scans/total.png").read_bytes()


def test_the_page_shows_every_document_and_only_texts_of_hostile_ones(read, copy):
    page = (read[0] / "out.html").read_text()
    assert page.count("<article>") == 3
    assert page.index("damaged.png") < page.index("total.png")  # what needs a look comes first
    assert "data:image/jpeg;base64," in page
    (copy / "scans/<script>alert(1).png").write_bytes(Image.new("RGB", (9, 9)).tobytes())
    again(copy, "--output", "out.jsonl", "--html", "out.html")
    page = (copy / "out.html").read_text()
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    (copy / "out.html").write_text("mine")
    assert "not a page" in str(again(copy, "--output", "out.jsonl", "--html", "out.html").exception)


def test_a_model_with_a_calibration_says_which_documents_need_review(copy):
    model = copy / "model"
    shutil.copytree(find_built_in_model(), model)
    calibration = replace(CALIBRATION, expects_json=False, thresholds=(Threshold(0.95, 0.0, 59, 0),))
    write_calibration(calibration, model)
    options = ("--model", str(model), "--prompt", "OCR:", "--max-new-tokens", "48", "--schema", "none")

    finscribe(["predict", *options, "scans/total.png", "--output", "reviewed.jsonl"], copy)

    [found] = lines_of(copy / "reviewed.jsonl")
    assert found["needs_review"] is False
    assert 0 < found["probability"] < 1
    assert found["calibrated"]["total"] == pytest.approx(found["confidence"]["total"], abs=1e-3)

    stricter = ("--output", "reviewed.jsonl", "--precision", "0.99")
    result = finscribe(["predict", *options, "scans/total.png", *stricter], copy)
    assert lines_of(copy / "reviewed.jsonl")[0]["needs_review"] is True
    assert "it needs at least 459 answered validation documents; you have 100" in result.output
