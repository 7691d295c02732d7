"""A submit says rows and steps of a job if it can count them, or why not, and never fails because of it."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finscribe_client.training_plan import plan_lines
from tests.support.storage import bucket

__all__ = ["bucket"]
TRAINS = "It trains for at most 5 epochs, with 16 rows per step, on 1 GPU."


def manifest(train: str, **spec: object) -> dict:
    model = {"source": "hf://PaddlePaddle/PaddleOCR-VL"}
    return {"spec": {"model": model, "dataset": {"train": train}, "output": {"uri": "s3://models/x"}} | spec}


def table(rows: int) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"prompt": ["Read."] * rows}), file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, "1,050 rows: about 63 steps an epoch, 315 in all."),
        ({"training": {"maxSteps": 10}}, "1,050 rows: about 63 steps an epoch, 10 in all."),
    ],
)
def test_rows_and_steps_are_said(spec, said, s3_env, bucket):
    s3_env.client().put_object(Bucket=bucket, Key="rows/a.jsonl", Body=b'{"prompt": "Read."}\n' * 50)
    s3_env.client().put_object(Bucket=bucket, Key="rows/b.parquet", Body=table(1000))
    assert plan_lines(manifest(f"s3://{bucket}/rows/", **spec), seconds=60)[1] == said


def test_what_can_not_be_counted_is_said_in_one_line(s3_env, bucket, monkeypatch, tmp_path):
    here = manifest(f"s3://{bucket}/gone.jsonl")
    assert plan_lines(here, seconds=0)[1] == "Its rows were not counted: that took more than 0 s."
    trains, why = plan_lines(here, seconds=60)
    assert trains == TRAINS
    assert why.startswith("Its rows were not counted: ") and "gone.jsonl" in why
    for name in s3_env.env:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "this machine has no credentials" in plan_lines(here)[1]
    assert plan_lines(manifest("no uri")) == [
        "It has settings that this version of the command does not know."
    ]
