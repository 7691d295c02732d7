"""The state of the training data: the same before a run and in it, another one when any file changes."""

import gzip
import json
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from finscribe_core.constants import EXIT_DONE, EXIT_USER_ERROR
from finscribe_core.errors import FailureReason, RetryableError, UserError
from finscribe_core.report import DatasetState, RunResult
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.pipeline.data_state import report_data_state
from finscribe_trainer.pipeline.inputs import load_splits
from finscribe_trainer.pipeline.outcome import run_and_report
from finscribe_trainer.pipeline.recipe import train
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.storage import Storage
from finscribe_trainer.training.run import Run
from tests.support.s3 import S3Server
from tests.support.storage import CountingObserver, bucket, storage, storage_without_delays

__all__ = ["bucket", "storage"]


def lines(*answers: str) -> bytes:
    return "".join(json.dumps({"prompt": "Read.", "completion": text}) + "\n" for text in answers).encode()


def as_table(*answers: str, key: str = "completion") -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"prompt": ["Read."] * len(answers), key: list(answers)}), sink)
    return sink.getvalue().to_pybytes()


@pytest.fixture
def put(s3_env: S3Server, bucket):
    """Uploads an object to the bucket."""
    return lambda key, content: s3_env.client().put_object(Bucket=bucket, Key=key, Body=content)


@pytest.fixture
def config(put, bucket) -> TrainerConfig:
    """Five rows in three files below a prefix, an empty one, and one file of validation rows."""
    put("train/a.jsonl", lines("1", "2"))
    put("train/b.jsonl.gz", gzip.compress(lines("3")))
    put("train/c.parquet", as_table("4", "5"))
    put("train/d.jsonl", b"")
    put("train/readme.txt", b"no rows")
    put("validation.jsonl", lines("6"))
    return TrainerConfig(
        dataset_path=f"s3://{bucket}/train/", validation_path=f"s3://{bucket}/validation.jsonl"
    )


def state_of(config: TrainerConfig, storage: Storage, known: str | None = None) -> DatasetState:
    state = report_data_state(config, storage, known).dataset
    assert state is not None
    return state


def test_a_run_reports_the_state_that_was_found_before_it(config, storage, tmp_path):
    reported: list[DatasetState] = []
    for _ in ("downloaded", "already there"):
        load_splits(config, tmp_path, storage, reported.append)

    found = state_of(config, storage)
    assert (found.samples, found.files) == (5, 5)
    assert reported == 2 * [found.model_copy(update={"samples": None}), found]


def upload_in_parts(server: S3Server, bucket: str, key: str) -> None:
    client, place = server.client(), {"Bucket": bucket, "Key": key}
    content = server.read(bucket, key)
    upload = {**place, "UploadId": client.create_multipart_upload(**place)["UploadId"]}
    part = client.upload_part(**upload, PartNumber=1, Body=content)
    client.complete_multipart_upload(
        **upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    )


CHANGES = {
    "an image": (lambda put, *_: put("train/e.png", b"an image"), True, None),
    "a file below a folder": (lambda put, *_: put("train/deeper/e.jsonl", lines("7")), True, None),
    "the same rows again": (lambda put, *_: put("train/a.jsonl", lines("1", "2")), True, None),
    "other rows of the same size": (lambda put, *_: put("train/a.jsonl", lines("1", "3")), False, 5),
    "a file added": (lambda put, *_: put("train/e.jsonl", lines("7", "8")), False, 7),
    "a file deleted": (lambda put, s3, b: s3.client().delete_object(Bucket=b, Key="train/a.jsonl"), False, 3),
    "the same rows with another ETag": (lambda put, s3, b: upload_in_parts(s3, b, "train/a.jsonl"), False, 5),
    "other validation rows": (lambda put, *_: put("validation.jsonl", lines("7", "8")), False, 5),
}


@pytest.mark.parametrize("case", CHANGES.values(), ids=CHANGES)
def test_the_fingerprint_changes_with_the_files_of_rows_only(case, config, put, storage, s3_env, bucket):
    change, same, samples = case
    before = state_of(config, storage)
    change(put, s3_env, bucket)
    after = state_of(config, storage, before.fingerprint)
    assert (after.fingerprint == before.fingerprint, after.samples) == (same, samples)


def test_no_row_is_read_while_the_fingerprint_is_known(config, storage, s3_env):
    known = state_of(config, storage).fingerprint
    observer = CountingObserver()
    state_of(config, storage_without_delays(s3_env.endpoint, observer=observer), known)
    assert observer.num_bytes["download"] == 0


def test_a_file_that_moves_from_training_to_validation_changes_the_fingerprint(config, storage):
    swapped = config.model_copy(
        update={"dataset_path": config.validation_path, "validation_path": config.dataset_path}
    )
    assert state_of(swapped, storage).fingerprint != state_of(config, storage).fingerprint


def test_a_local_file_is_recognized_by_its_size_and_time(tmp_path, storage):
    rows = tmp_path / "train.jsonl"
    rows.write_bytes(lines("1", "2"))
    config = TrainerConfig(dataset_path=str(rows))
    before = state_of(config, storage)
    assert (before.samples, before.files) == (2, 1)
    assert state_of(config, storage, before.fingerprint).samples is None

    rows.write_bytes(lines("1", "3"))
    os.utime(rows, ns=(0, rows.stat().st_mtime_ns + 1))
    assert state_of(config, storage).fingerprint != before.fingerprint


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("rows.jsonl", b"", 0),
        ("rows.jsonl", b'{"a": 1}\n\n \r\n{"a": 2}', 2),
        ("rows.jsonl", b"x" * 10 * 2**20 + b"\n" + b"y" * 2**21, 2),
        ("rows.jsonl.gz", gzip.compress(b"1\n2\n") + gzip.compress(b"3\n"), 3),
        ("ROWS.Parquet", as_table(*"12345"), 5),
    ],
    ids=["empty", "blank lines and no line break at the end", "long lines", "gzip in two parts", "a table"],
)
def test_rows_are_counted_in_every_format(name, content, expected, put, storage, bucket):
    put(name, content)
    assert state_of(TrainerConfig(dataset_path=f"s3://{bucket}/{name}"), storage).samples == expected


DAMAGED = {
    "gzip that is cut off": ("rows.jsonl.gz", gzip.compress(lines("1"))[:-9]),
    "no gzip": ("rows.jsonl.gz", b"no gzip"),
    "gzip that expands to too much": ("rows.jsonl.gz", gzip.compress(b"0" * 2**22)),
    "a table that is cut off": ("rows.parquet", as_table("1")[:-9]),
    "a table with too large a footer": ("rows.parquet", as_table("1", key="x" * 5000)),
    "an empty table": ("rows.parquet", b""),
}


@pytest.mark.parametrize(("name", "content"), DAMAGED.values(), ids=DAMAGED)
def test_a_file_whose_rows_cant_be_counted_is_a_user_error(name, content, put, storage, bucket, monkeypatch):
    monkeypatch.setattr("finscribe_trainer.data.expansion.ALWAYS_ALLOWED", 2**21)
    monkeypatch.setattr("finscribe_trainer.data.expansion._RATIO", 1)
    monkeypatch.setattr("finscribe_trainer.data.row_count._LARGEST_FOOTER", 4096)
    put(name, content)
    with pytest.raises(UserError, match=f"{name}: the rows can't be counted") as caught:
        report_data_state(TrainerConfig(dataset_path=f"s3://{bucket}/{name}"), storage)
    assert caught.value.reason is FailureReason.DatasetInvalid


@pytest.mark.parametrize("name", ["rows.jsonl", "none/"])
def test_rows_that_do_not_exist_are_a_user_error(name, storage, bucket):
    with pytest.raises(UserError) as caught:
        report_data_state(TrainerConfig(dataset_path=f"s3://{bucket}/{name}"), storage)
    assert caught.value.reason is FailureReason.DatasetNotFound


def test_a_file_that_is_replaced_while_it_is_counted_is_tried_again_later(config, put, storage):
    version = storage.version(config.validation_path)
    put("validation.jsonl", lines("7"))
    with storage.open(version) as file, pytest.raises(RetryableError, match="replaced while it was read"):
        file.read()


def test_a_run_that_rejects_its_rows_reports_which_rows_they_were(
    config, put, storage, tmp_path, monkeypatch
):
    put("train/a.jsonl", b"no JSON")
    written = tmp_path / "termination"
    monkeypatch.setenv("FINSCRIBE_TERMINATION_LOG", str(written))
    run = Run(
        config.model_copy(update={"output_dir": str(tmp_path / "out")}), "", None, RunReporter(), StopSignal()
    )

    assert run_and_report(lambda: train(run), run.reporter) == EXIT_USER_ERROR

    result = RunResult.from_termination_message(written.read_text())
    assert result.reason is FailureReason.DatasetInvalid
    assert result.dataset == state_of(config, storage).model_copy(update={"samples": None})


def run_command(folder, config: dict, server: S3Server, *options: str) -> tuple[int, RunResult | None]:
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    code = (
        "import sys\n"
        "from finscribe_core.cli import main_command\n"
        "try:\n"
        "    main_command(['train', '--config', 'config.yaml', '--data-state', *sys.argv[1:]])\n"
        "finally:\n"
        "    assert 'torch' not in sys.modules\n"
    )
    environment = {**os.environ, **server.env, "FINSCRIBE_TERMINATION_LOG": str(folder / "termination")}
    done = subprocess.run([sys.executable, "-c", code, *options], cwd=folder, env=environment, check=False)
    return done.returncode, RunResult.from_termination_message((folder / "termination").read_text())


def test_the_command_writes_the_state_as_termination_message_without_loading_torch(
    config, s3_env, storage, tmp_path
):
    written = {"dataset_path": config.dataset_path, "validation_path": config.validation_path}
    found = state_of(config, storage)

    code, result = run_command(tmp_path, written, s3_env)
    assert (code, result.succeeded, result.dataset) == (EXIT_DONE, True, found)

    code, result = run_command(tmp_path, written, s3_env, "--known", found.fingerprint)
    assert (code, result.dataset) == (EXIT_DONE, found.model_copy(update={"samples": None}))

    code, result = run_command(tmp_path, {"dataset_path": f"{config.dataset_path}none.jsonl"}, s3_env)
    assert (code, result.reason, result.dataset) == (EXIT_USER_ERROR, FailureReason.DatasetNotFound, None)
