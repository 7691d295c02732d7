import json
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

from finscribe_core.errors import RetryableError, UserError
from finscribe_trainer.cli.generate import generate
from finscribe_trainer.data.rows import parse_row
from finscribe_trainer.data_tools.synthetic import dataset
from finscribe_trainer.data_tools.synthetic.dataset import Plan, generate_dataset
from finscribe_trainer.data_tools.synthetic.row import Choice, make_scan, write_row
from finscribe_trainer.documents.arithmetic import check_arithmetic
from finscribe_trainer.documents.numbers import load_json
from finscribe_trainer.documents.paths import leaves
from finscribe_trainer.documents.schema import parse_document, schema_json

PLAN = Plan(Choice(seed=5, degrade="none"), 12, (0.5, 0.25, 0.25))


@pytest.fixture(scope="module")
def generated(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("generated") / "data"
    generate_dataset(PLAN, folder, workers=1)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def rows(folder: Path) -> list[dict]:
    names = [folder / f"{split}.jsonl" for split in dataset.SPLITS]
    return [json.loads(line) for name in names for line in name.read_text(encoding="utf-8").splitlines()]


def test_rows_are_divided_into_splits_by_their_fractions(generated):
    sizes = [len((generated / f"{s}.jsonl").read_text().splitlines()) for s in dataset.SPLITS]
    assert sizes == [6, 3, 3]
    assert len(list((generated / "images").iterdir())) == 12
    assert json.loads((generated / "schema.json").read_text()) == schema_json()


def test_rows_have_the_training_guide_s_format_and_can_be_read(generated):
    for data in rows(generated):
        row = parse_row(data)
        assert row.images == (data["input"],)
        assert row.turns[0].text == data["instruction"]
        answer = load_json(row.completion)
        assert parse_document(answer)
        assert check_arithmetic(answer) == []


def test_every_field_of_an_answer_has_a_box_with_ink(generated):
    for data in rows(generated):
        grey = np.asarray(Image.open(generated / data["input"]).convert("L")).astype(int)
        paths = {path for path, _ in leaves(load_json(data["output"]))}
        assert paths - {"document_type", "financial_summary.currency"} <= data["boxes"].keys()
        for path, (left, top, right, bottom) in data["boxes"].items():
            part = grey[top:bottom, left:right]
            assert part.max() - part.min() > 60, f"{data['input']}: {path}"


def test_a_complete_data_set_is_not_changed(generated, monkeypatch):
    monkeypatch.setattr(dataset, "write_row", lambda *_: pytest.fail("nothing is missing"))
    before = files(generated)
    assert generate_dataset(PLAN, generated, workers=1) == {"train": 6, "val": 3, "test": 3}
    assert files(generated) == before


@pytest.mark.parametrize("stop_at", [0, 4, 11])
def test_a_run_interrupted_within_a_row_resumes_to_the_same_files(generated, tmp_path, monkeypatch, stop_at):
    def write_or_stop(choice: Choice, folder: Path, index: int) -> str:
        if index == stop_at:
            raise KeyboardInterrupt
        return write_row(choice, folder, index)

    folder = tmp_path / "data"
    with monkeypatch.context() as patch:
        patch.setattr(dataset, "write_row", write_or_stop)
        with pytest.raises(RetryableError, match=f"after {stop_at} of 12"):
            generate_dataset(PLAN, folder, workers=1)
    with (folder / "rows.part").open("ab") as half:  # a kill while a row is written
        half.write(b'{"instruction": "Read')
    (folder / "images" / f"{stop_at:06}.jpg.part").write_bytes(b"\xff\xd8")
    generate_dataset(PLAN, folder, workers=1)
    assert files(folder) == files(generated)


def test_a_folder_with_other_files_is_rejected(tmp_path):
    (tmp_path / "thesis.tex").write_text("...")
    with pytest.raises(UserError, match="not empty"):
        generate_dataset(PLAN, tmp_path, workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_data_set_with_other_options_is_rejected(generated):
    other = Plan(Choice(seed=6, degrade="none"), 12, PLAN.shares)
    before = files(generated)
    with pytest.raises(UserError, match="other options"):
        generate_dataset(other, generated, workers=1)
    assert files(generated) == before


@pytest.mark.parametrize(
    ("count", "shares", "sizes"),
    [
        (1000, (0.9, 0.05, 0.05), (900, 50, 50)),
        (80, (0.8, 0.2, 0.0), (64, 16, 0)),
        (5, (0.5, 0.5, 0.0), (2, 3, 0)),
        (1, (0.9, 0.05, 0.05), (1, 0, 0)),
    ],
)
def test_every_row_is_in_one_split(count, shares, sizes):
    assert tuple(Plan(PLAN.choice, count, shares).sizes.values()) == sizes


def test_template_and_locale_can_be_selected():
    scan = make_scan(Choice(seed=1, template_set="till", locale="fr_FR"), 0)
    assert (scan.template, scan.locale) == ("till", "fr_FR")
    assert load_json(scan.answer)["document_type"] == "receipt"


@pytest.mark.parametrize("path", ["file/sheet.jpg", "notes.md"])
def test_a_contact_sheet_that_can_not_be_written_is_rejected(path, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises((UserError, click.UsageError)):
        generate.main(
            ["--count", "1", "--degrade", "none", "--contact-sheet", str(tmp_path / path)],
            standalone_mode=False,
        )
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
