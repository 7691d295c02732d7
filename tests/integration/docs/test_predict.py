"""The commands of docs/predict.md, with the small model that ships in place of a tuned one."""

import json
import shutil

import pytest

from tests.integration.docs.shell import finscribe_lines, run

TUNED = "finetuned_model/final_model"


@pytest.fixture
def folder(tmp_path):
    run(["finscribe sample --output-dir sample --rows 2 --validation-rows 1 --test-rows 1"], tmp_path)
    shutil.copytree(tmp_path / "sample/images", tmp_path / "scans")
    return tmp_path


def test_the_commands_that_need_no_tuned_model_and_bucket_work_as_written(tmp_path):
    trial = [line for line in finscribe_lines("docs/predict.md") if "finetuned" not in line][:2]
    printed = run(trial, tmp_path)
    [answer] = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert answer["text"]
    assert answer["error"] is None


def test_the_commands_on_a_folder_work_with_any_model(folder):
    lines = [line for line in finscribe_lines("docs/predict.md", "predict") if f"{TUNED} scans" in line]
    short = "finscribe/tiny-ocr-vl --max-new-tokens 8"
    run([line.replace(TUNED, short) for line in lines], folder)
    assert len(lines) == 4
    drafts = [json.loads(line) for line in (folder / "drafts.jsonl").read_text().splitlines()]
    assert len(drafts) == len(list((folder / "scans").iterdir()))
    assert (folder / "answers.html").is_file()
    assert (
        (folder / "answers.csv")
        .read_text()
        .startswith("file,field,value,confidence,problem,calibrated,needs_review\n")
    )
