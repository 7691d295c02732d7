"""The command `finscribe data validate`."""

import json
import signal
from pathlib import Path

import pytest
from PIL import Image

from finscribe_core.errors import RetryableError, UserError
from finscribe_trainer.cli.validate import validate
from finscribe_trainer.data_tools.validate import session
from tests.unit.data_tools.validate.conftest import write_rows

GOOD = {"prompt": "Total?", "completion": '{"total": 3}'}
BAD = {"prompt": "<b>Sum</b>?", "completion": "<script>alert(1)</script> `|"}


def run(*arguments: object) -> None:
    validate.main([str(argument) for argument in arguments], standalone_mode=False)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "rows.jsonl", [GOOD, BAD])


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    path = tmp_path / "schema.json"
    path.write_text('{"type": "object"}')
    return path


def test_errors_fail_the_command_and_are_printed(rows: Path, schema: Path, capsys):
    with pytest.raises(UserError, match="1 error in 2 rows"):
        run("--input", rows, "--schema", schema)
    assert f"{rows}:2: " in capsys.readouterr().err


def test_warnings_fail_in_strict_mode(tmp_path: Path, schema: Path):
    rows = write_rows(tmp_path / "rows.jsonl", [GOOD, GOOD])
    run("--input", rows, "--schema", schema)
    with pytest.raises(UserError, match="0 errors and 1 warning in"):
        run("--input", rows, "--schema", schema, "--strict")


def test_three_reports_are_written(rows: Path, schema: Path, tmp_path: Path):
    with pytest.raises(UserError):
        run("--input", rows, "--schema", schema, "--output", tmp_path / "new/report.json")

    report = json.loads((tmp_path / "new/report.json").read_text())
    assert (report["rows"], report["errors"], report["complete"]) == (2, 1, True)
    assert report["findings"][0]["rule"] == "answer-json"
    assert f"{rows}:2" in (tmp_path / "new/report.md").read_text()
    assert f"{rows}:2" in (tmp_path / "new/report.html").read_text()


def test_the_number_of_samples_with_images_is_printed_and_reported(schema: Path, tmp_path: Path, capsys):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    with_image = {**GOOD, "prompt": "Sum?", "image": "a.png"}
    rows = write_rows(tmp_path / "rows.jsonl", [GOOD, with_image])
    run("--input", rows, "--schema", schema, "--output", tmp_path / "report.json")

    for text in (
        capsys.readouterr().err,
        (tmp_path / "report.md").read_text(),
        (tmp_path / "report.html").read_text(),
    ):
        assert "1 of 2 samples have images" in text
    statistics = json.loads((tmp_path / "report.json").read_text())["statistics"]
    assert (statistics["with_images"], statistics["rows"]) == (1, 2)


def test_content_of_rows_is_escaped_in_the_html_report(tmp_path: Path):
    answer = json.dumps({"document_type": "<script>alert(1)</script>", "<img src=x>": 1})
    rows = write_rows(tmp_path / "<i>.jsonl", [{"prompt": "?", "completion": answer}])
    with pytest.raises(UserError):
        run("--input", rows, "--output", tmp_path / "report.json")

    page = (tmp_path / "report.html").read_text()
    assert "&lt;script&gt;" in page
    assert not any(tag in page for tag in ("<script", "<img", "<i>.jsonl"))


def test_several_inputs_are_validated_as_one_data_set(rows: Path, tmp_path: Path, schema: Path, capsys):
    again = write_rows(tmp_path / "again.jsonl", [GOOD])
    with pytest.raises(UserError):
        run("--input", rows, "--input", again, "--schema", schema)
    assert f"the same row as {rows}:1" in capsys.readouterr().err


def test_no_two_of_training_validation_and_test_rows_may_overlap(tmp_path: Path, capsys):
    train, val, test = (
        write_rows(tmp_path / f"{name}.jsonl", [{"prompt": text, "completion": "x"} for text in texts])
        for name, texts in {"train": ["a", "b"], "val": ["c", "b"], "test": ["d", "c"]}.items()
    )
    with pytest.raises(UserError, match="2 errors in 2 rows"):
        run("--input", train, "--validation", val, "--test", test, "--schema", "none")
    printed = capsys.readouterr().err
    assert f"{train}:2: the same prompt as {val}:2 [leakage]" in printed
    assert f"{test}:2: the same prompt as {val}:1 [leakage]" in printed


def test_an_image_root_is_read(tmp_path: Path):
    (tmp_path / "rows").mkdir()
    Image.new("L", (9, 9)).save(tmp_path / "a.png")
    rows = write_rows(tmp_path / "rows/rows.jsonl", [{**GOOD, "image": "../a.png"}])
    with pytest.raises(UserError, match="1 error in 1 row"):
        run("--input", rows, "--schema", "none")
    run("--input", rows, "--schema", "none", "--image-root", tmp_path)


def test_an_interrupted_validation_reports_its_findings(schema: Path, tmp_path: Path, monkeypatch):
    rows = write_rows(tmp_path / "rows.jsonl", [GOOD, BAD, BAD])

    class Interrupted(session.Validator):
        def validate(self, file):
            for number, _ in enumerate(super().validate(file)):
                if number == 1:
                    signal.raise_signal(signal.SIGINT)
                yield

    monkeypatch.setattr(session, "Validator", Interrupted)
    with pytest.raises(RetryableError, match="Stopped after 2 rows"):
        run("--input", rows, "--schema", schema, "--output", tmp_path / "report.json")

    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["complete"], report["errors"]) == (False, 1)


@pytest.mark.parametrize("output", ["rows.jsonl", "rows.json", "report.html"])
def test_a_report_never_replaces_rows(tmp_path: Path, output: str):
    rows = write_rows(tmp_path / "rows.json", [GOOD])
    before = rows.read_bytes()
    with pytest.raises(UserError, match="--output"):
        run("--input", rows, "--schema", "none", "--output", tmp_path / output)
    assert rows.read_bytes() == before


def test_a_report_that_cannot_be_written_is_an_error(rows: Path, tmp_path: Path):
    with pytest.raises(UserError, match="can't be written"):
        run("--input", rows, "--schema", "none", "--output", rows / "report.json")


@pytest.mark.parametrize("name", ["none.jsonl", "empty.jsonl", "folder", "rows.csv"])
def test_an_input_without_rows_is_rejected(tmp_path: Path, name: str):
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "rows.csv").write_text("a,b\n")
    with pytest.raises(UserError, match=name):
        run("--input", tmp_path / name)


@pytest.mark.parametrize("name", ["notes.json", "notes.md", "notes.html"])
def test_a_file_that_is_not_a_report_is_not_replaced(rows: Path, tmp_path: Path, name: str):
    (tmp_path / name).write_text('{"mine": 1}')
    with pytest.raises(UserError, match="is not an earlier report"):
        run("--input", rows, "--schema", "none", "--output", tmp_path / "notes.json")
    assert (tmp_path / name).read_text() == '{"mine": 1}'


def test_an_earlier_report_is_replaced(rows: Path, tmp_path: Path):
    for _ in range(2):
        run("--input", rows, "--schema", "none", "--output", tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text())["rows"] == 2
