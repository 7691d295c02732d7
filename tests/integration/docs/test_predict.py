"""The commands of docs/predict.md, with the small model that ships in place of a tuned one."""

import json
import shutil

import pytest

from tests.integration.docs.shell import call, finscribe_lines

TUNED = "finetuned_model/final_model"
TRIAL = [line for line in finscribe_lines("docs/predict.md") if "finetuned" not in line][:2]
PREDICT = [line for line in finscribe_lines("docs/predict.md", "predict") if TUNED in line]
FEW_ROWS = "--rows 2 --validation-rows 1 --test-rows 1"
RUN = [*TRIAL, *PREDICT]


@pytest.fixture
def folder(tmp_path, s3_env):
    """Scans in a folder, a file of rows, and another scan in the bucket that the page names."""
    call(f"finscribe sample --output-dir sample {FEW_ROWS}", tmp_path)
    shutil.copytree(tmp_path / "sample/images", tmp_path / "scans")
    shutil.copytree(tmp_path / "sample/images", tmp_path / "images")
    shutil.copy(tmp_path / "sample/val.jsonl", tmp_path / "rows.jsonl")
    s3_env.client().create_bucket(Bucket="inbox")
    s3_env.client().upload_file(str(tmp_path / "scans/train-0000.png"), "inbox", "today/scan.png")
    return tmp_path


def test_the_commands_that_need_no_tuned_model_and_bucket_work_as_written(tmp_path):
    sample, predict = TRIAL
    call(f"{sample} {FEW_ROWS}", tmp_path)
    printed = call(predict, tmp_path)
    [answer] = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert answer["text"]
    assert answer["error"] is None


def test_the_commands_on_folders_rows_and_buckets_work_with_any_model(folder):
    short = "finscribe/tiny-ocr-vl --max-new-tokens 8"
    for line in PREDICT:
        call(line.replace(TUNED, short), folder)
    assert len(PREDICT) == 5
    answered = [one["file"] for one in json.loads((folder / "answers.json").read_text())]
    assert answered == ["rows.jsonl:1", "s3://inbox/today/scan.png"]
    drafts = [json.loads(line) for line in (folder / "drafts.jsonl").read_text().splitlines()]
    assert len(drafts) == len(list((folder / "scans").iterdir()))
    assert (folder / "answers.html").is_file()
    assert (
        (folder / "answers.csv")
        .read_text()
        .startswith("file,field,value,confidence,problem,calibrated,needs_review\n")
    )
