"""A run with S3 that is interrupted and started again, in real processes as in a pod."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from finscribe_core.constants import EXIT_DONE, EXIT_RETRY, EXIT_USER_ERROR
from finscribe_core.errors import FailureReason
from tests.support.s3 import S3Server
from tests.support.trainer_process import TrainerProcess, environment_with

RUN = "invoices-1a2b3c4d"


class Pod(TrainerProcess):
    """One attempt of the run: a process group with its own scratch folder, termination file and log."""

    def end(self, signum: signal.Signals) -> None:
        """Signal the whole group, data workers included, as a terminal or a kubelet may."""
        os.killpg(self.process.pid, signum)


@contextmanager
def pod(folder: Path, config: dict, server: S3Server, *options: str, run: str = RUN) -> Iterator[Pod]:
    variables = {"FINSCRIBE_RUN": run, "FINSCRIBE_TRAINING_HASH": "0123456789abcdef"}
    started = Pod(
        folder, config, options, environment={**environment_with(server), **variables}, patience=120
    )
    try:
        yield started
    finally:
        started.close()


@pytest.fixture
def bucket(s3_env: S3Server, sample: Path) -> str:
    """A bucket with rows, images and model."""
    bucket = s3_env.create_bucket()
    for path in sample.rglob("*"):
        if path.is_file():
            key = str(path.relative_to(sample))
            s3_env.client().upload_file(str(path), bucket, f"in/{key}")
    return bucket


@pytest.fixture
def config(bucket: str) -> dict:
    return {
        "model_name_or_path": f"s3://{bucket}/in/model",
        "dataset_path": f"s3://{bucket}/in/train.jsonl",
        "validation_path": f"s3://{bucket}/in/val.jsonl",
        "output_uri": f"s3://{bucket}/out",
        "training": {
            "learning_rate": 5.0e-3,
            "num_train_epochs": 5,
            "per_device_train_batch_size": 2,
            "gradient_accumulation_steps": 1,
            "logging_steps": 1,
            "eval_steps": 10,
            "gradient_checkpointing": False,
            "dataloader_num_workers": 1,
        },
        "early_stopping": {"enabled": False},
        "evaluation": {"training_documents": 0, "max_documents": 2, "max_new_tokens": 16},
    }


def test_an_interrupted_run_resumes_on_another_machine_from_its_last_step(bucket, config, s3_env, tmp_path):
    config["keep_checkpoints"] = "Last"
    with pod(tmp_path / "before", config, s3_env, "--data-state") as before:
        assert before.process.wait(timeout=60) == EXIT_DONE, before.log
    assert before.result.dataset.samples == 8

    with pod(tmp_path / "first", config, s3_env) as first:
        first.wait_for(r"'loss'.*\"step\": 4|\"step\": 4.*'loss'")
        first.end(signal.SIGTERM)
        assert first.process.wait(timeout=60) == EXIT_RETRY, first.log
    assert first.result.reason is FailureReason.Interrupted
    assert first.result.retryable
    stopped_at = first.result.progress.step
    assert 4 <= stopped_at < 20

    with pod(tmp_path / "second", config, s3_env) as second:
        assert second.process.wait(timeout=180) == EXIT_DONE, second.log
    checkpoint = f"s3://{bucket}/out/runs/{RUN}/checkpoints/checkpoint-{stopped_at}"
    assert second.result.resumed_from == checkpoint
    assert second.result.progress.step == 20
    left = s3_env.keys(bucket, f"out/runs/{RUN}/checkpoints/")
    assert {key.split("/")[4] for key in left} == {"checkpoint-20"}
    metrics = json.loads(s3_env.read(bucket, f"out/runs/{RUN}/metrics.json"))
    assert [entry["step"] for entry in metrics["train_history"]] == list(range(1, 21))
    assert metrics["best_eval_loss"] < metrics["base_eval_loss"]
    assert json.loads(s3_env.read(bucket, "out/latest.json"))["run"] == RUN

    with pod(tmp_path / "third", config, s3_env) as third:
        assert third.process.wait(timeout=60) == EXIT_DONE, third.log
    assert "is already published: nothing to do" in third.log
    assert third.result.metrics.best_eval_loss == second.result.metrics.best_eval_loss
    assert third.result.outputs == second.result.outputs
    assert [attempt.result.dataset for attempt in (first, second, third)] == 3 * [before.result.dataset]

    s3_env.client().delete_object(Bucket=bucket, Key="out/latest.json")
    restored = "invoices-5e6f7a8b"  # of a job that was restored in another cluster
    with pod(tmp_path / "fourth", config, s3_env, "--published-only", run=restored) as fourth:
        assert fourth.process.wait(timeout=60) == EXIT_DONE, fourth.log
    assert fourth.result.outputs == second.result.outputs
    assert json.loads(s3_env.read(bucket, "out/latest.json"))["run"] == RUN


def test_a_result_that_is_not_in_the_bucket_is_not_found(bucket, config, s3_env, tmp_path):
    with pod(tmp_path / "none", config, s3_env, "--published-only") as none:
        assert none.process.wait(timeout=60) == EXIT_USER_ERROR, none.log
    assert none.result.reason is FailureReason.ResultNotFound


def test_a_stop_before_the_first_step_is_a_retry_without_checkpoint(bucket, config, s3_env, tmp_path):
    with pod(tmp_path / "early", config, s3_env) as early:
        early.wait_for("adapter on")
        early.end(signal.SIGINT)
        assert early.process.wait(timeout=60) == EXIT_RETRY, early.log
    assert early.result.reason is FailureReason.Interrupted
    assert not [key for key in s3_env.keys(bucket, "out/") if "checkpoint" in key]
