"""The final evaluation of a run with S3: results, report, gate, and latest.json."""

import json
from pathlib import Path

import pytest
import torch
from pytest import MonkeyPatch

from finscribe_core.constants import ENV_RUN
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.evaluation.calibration import read_calibration
from finscribe_trainer.evaluation.generation import AnswerGenerator
from finscribe_trainer.evaluation.results import read_results
from finscribe_trainer.pipeline.recipe import train
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.storage import Storage
from finscribe_trainer.training.run import Run
from tests.support.s3 import S3Server


@pytest.fixture
def train_with(sample: Path, tmp_path: Path, s3_env: S3Server, monkeypatch: MonkeyPatch):
    """Train one step with the given evaluation settings; returns the result and a reader of the bucket."""
    uri = f"s3://{s3_env.create_bucket()}/models"
    storage = Storage.from_config(TrainerConfig(dataset_path="-").storage)

    def start(name: str, evaluation: dict, **changes: str):
        config = TrainerConfig.model_validate(
            {
                "model_name_or_path": str(sample / "model"),
                "dataset_path": str(sample / "train.jsonl"),
                "validation_split": 0.25,
                "test_path": str(sample / "val.jsonl"),
                "output_dir": str(tmp_path / name),
                "output_uri": uri,
                "training": {
                    "max_steps": 1,
                    "per_device_train_batch_size": 4,
                    "gradient_accumulation_steps": 1,
                    "dataloader_num_workers": 0,
                },
                "evaluation": {"training_documents": 0, "max_new_tokens": 40, **evaluation},
                **changes,
            }
        )
        monkeypatch.setenv(ENV_RUN, name)
        return train(Run(config, name, None, RunReporter(run=name, job="j"), StopSignal()))

    def latest() -> dict | None:
        return storage.read_json(f"{uri}/latest.json")

    return start, latest, storage


def test_base_and_tuned_model_are_evaluated_on_the_test_documents(train_with, tmp_path):
    start, latest, storage = train_with

    result = start("first", {"max_documents": 2})

    assert result.evaluation is not None
    assert result.evaluation.documents == 2
    uri = result.outputs.evaluation
    paths = [entry["path"] for entry in storage.read_json(result.outputs.manifest)["files"]]
    assert {path for path in paths if path.startswith("evaluation/")} == {
        f"evaluation/{name}"
        for name in ("report.html", "report.md", "results-base.json", "results-tuned.json")
    }
    assert "adapter/calibration.json" in paths
    calibration = read_calibration(tmp_path / "first/final_model")
    assert "held out" in calibration.data.source
    assert calibration.thresholds == ()  # none is right
    assert result.evaluation.straight_through_rate == "0"
    base, tuned = (
        read_results(tmp_path / f"first/evaluation/results-{who}.json") for who in ("base", "tuned")
    )
    assert [record.where for record in base.documents] == [record.where for record in tuned.documents]
    assert all("val.jsonl:" in record.where for record in base.documents)
    assert base.model.fingerprint != tuned.model.fingerprint
    assert uri == f"{result.outputs.uri}/evaluation"
    assert latest()["run"] == "first"
    metrics = json.loads((tmp_path / "first/metrics.json").read_text())
    assert metrics["evaluation"] == result.evaluation.model_dump(mode="json", exclude_none=True)
    # A random model that was trained for one step knows nothing.
    assert "no better than the base model" in result.under_training
    assert metrics["under_training"] == result.under_training
    assert result.under_training[:30] in (tmp_path / "first/evaluation/report.html").read_text()


def test_a_run_that_fails_its_gate_is_published_but_latest_json_is_unchanged(train_with):
    start, latest, storage = train_with
    start("good", {"enabled": False})

    result = start("bad", {"gate": {"minimum": 0.99}})

    assert result.succeeded
    assert result.evaluation.gate.passed is False
    assert storage.read_json(f"{result.outputs.uri}/manifest.json")
    assert latest()["run"] == "good"


def test_an_already_published_run_reports_its_gate_verdict_again(train_with):
    start, latest, _ = train_with
    first = start("again", {"gate": {"minimum": 0.99}})

    again = start("again", {"gate": {"minimum": 0.99}})

    assert again.evaluation == first.evaluation
    assert latest() is None


def test_documents_too_large_for_the_gpu_fail_the_gate_but_the_adapter_is_exported(train_with, monkeypatch):
    start, latest, storage = train_with

    def out_of_memory(*_: object) -> None:  # simulates a GPU without enough memory
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(AnswerGenerator, "_generate", out_of_memory)

    result = start("large", {"gate": {"minimum": 0.0}})

    assert result.succeeded
    assert result.evaluation.gate.passed is False
    assert "memory" in result.evaluation.gate.message
    assert storage.read_json(result.outputs.manifest)
    assert latest() is None


NEVER_WORSE = {"gate": {"against": "Promoted", "minimum_improvement": -1}, "calibration_documents": 0}


def test_a_gate_compares_with_the_promoted_run(train_with, tmp_path, sample, monkeypatch):
    start, latest, _ = train_with
    rows = (sample / "val.jsonl").read_text().splitlines()
    reordered = tmp_path / "reordered.jsonl"  # other rows by their hash
    reordered.write_text("\n".join(reversed(rows)) + "\n")
    evaluated = []
    generate = AnswerGenerator.generate

    def counted(self, examples, done=()):
        evaluated.append(len(examples))
        return generate(self, examples, done)

    monkeypatch.setattr(AnswerGenerator, "generate", counted)

    first = start("first", NEVER_WORSE).evaluation.gate
    second = start("second", NEVER_WORSE).evaluation.gate
    third = start("third", NEVER_WORSE, test_path=str(reordered), image_root=str(sample)).evaluation.gate

    assert first.message.startswith("No run is promoted yet, so the base model was compared with.")
    assert (first.against, second.against, third.against) == (None, "first", "second")
    # Base and tuned model each; on other documents the promoted one, too.
    assert len(evaluated) == 2 + 2 + 3
    assert latest()["run"] == "third"

    def read(run: str, which: str):
        return read_results(tmp_path / f"{run}/evaluation/results-{which}.json")

    assert read("second", "promoted").summary == read("first", "tuned").summary
    tuned, answered = read("second", "tuned"), read("third", "promoted")
    assert answered.model.fingerprint == tuned.model.fingerprint
    by_image = {record.images: record.predicted for record in tuned.documents}
    assert {record.images: record.predicted for record in answered.documents} == by_image


def test_a_promoted_run_that_was_deleted_fails_the_gate(train_with):
    start, latest, storage = train_with
    uri = start("first", {"enabled": False}).outputs.uri.rpartition("/runs/")[0]
    storage.write_latest(uri, {"run": "gone"})

    gate = start("second", NEVER_WORSE).evaluation.gate

    assert gate.passed is False
    assert "was deleted" in gate.message
    assert latest()["run"] == "gone"
