"""Training curves as read back from the files of TensorBoard and Weights & Biases, and the console lines."""

import json
import logging
import os
import sys
from pathlib import Path

import pytest
import wandb
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import ReportTo, TrainerConfig
from finscribe_trainer.pipeline.recipe import train
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.training.callbacks import console_line
from finscribe_trainer.training.curves import weights_and_biases
from finscribe_trainer.training.curves.weights_and_biases import WeightsAndBiases
from finscribe_trainer.training.run import Run
from tests.support.wandb_file import curves_in

KEY = "0123456789abcdef0123456789abcdef01234567"
GUIDE_METRICS = {"train_loss", "eval_loss", "eval_field_accuracy", "eval_teds_score"}
"""Metrics that the training guide recommends to watch."""


@pytest.fixture
def config(config) -> TrainerConfig:
    """A config that evaluates one document at each evaluation, with short answers."""
    evaluation = config.evaluation.model_copy(update={"training_documents": 1, "max_new_tokens": 4})
    return config.model_copy(update={"evaluation": evaluation})


@pytest.fixture
def start(config):
    def call(resume: str | None = None, name: str = "", **changes) -> Path:
        run = Run(config.model_copy(update=changes), name, resume, RunReporter(run="", job=""), StopSignal())
        train(run)
        return run.output_dir

    return call


def reporting_to(config: TrainerConfig, *sinks: ReportTo) -> dict[str, object]:
    return {"training": config.training.model_copy(update={"report_to": list(sinks)})}


def read_tensorboard(folder: Path) -> dict[str, dict[int, float]]:
    """Each curve's points, as TensorBoard itself reads them."""
    events = EventAccumulator(str(folder)).Reload()
    return {
        tag: {point.step: point.value for point in events.Scalars(tag)} for tag in events.Tags()["scalars"]
    }


@pytest.mark.train
def test_tensorboard_shows_the_metrics_of_the_training_guide(start):
    out = start()
    curves = read_tensorboard(out / "logs")
    assert curves.keys() >= GUIDE_METRICS | {"learning_rate", "grad_norm", "base_eval_loss"}
    metrics = json.loads((out / "metrics.json").read_text())
    for name, logged in (("train_loss", "train_history"), ("eval_loss", "eval_history")):
        key = name.removeprefix("train_")
        assert curves[name] == pytest.approx({e["step"]: e[key] for e in metrics[logged]}, rel=1e-6)


@pytest.mark.train
@pytest.mark.parametrize("place", ["same folder", "another folder"])
def test_a_resumed_training_has_the_curves_of_an_uninterrupted_one(start, tmp_path, place):
    whole = start()
    expected = read_tensorboard(whole / "logs")
    folder = whole if place == "same folder" else tmp_path / "another"
    resumed = start(resume=str(whole / "checkpoint-2"), output_dir=str(folder))
    found = read_tensorboard(resumed / "logs")
    assert found.keys() == expected.keys()
    expected.pop("train_tokens_per_second")
    for name, points in expected.items():
        assert found[name] == pytest.approx(points, rel=1e-4), name


@pytest.mark.train
def test_console_lines_have_the_format_of_the_training_guide(start, caplog):
    with caplog.at_level(logging.INFO, "finscribe_trainer"):
        start()
    lines = [record.message for record in caplog.records if record.message.startswith("{'")]
    keys = [list(eval(line)) for line in lines]
    assert ["loss", "learning_rate", "epoch"] in keys
    assert ["eval_loss", "eval_field_accuracy", "eval_teds_score", "epoch"] in keys
    assert not [line for line in lines if "e-" in line]


LINES = [
    (
        {"loss": 2.345, "learning_rate": 1.8e-5, "epoch": 0.5},
        "{'loss': 2.345, 'learning_rate': 0.000018, 'epoch': 0.5}",
    ),
    ({"eval_loss": 1.89249, "epoch": 12.0}, "{'eval_loss': 1.892, 'epoch': 12.0}"),
    ({"loss": 123456.7}, "{'loss': 123500.0}"),
    ({"learning_rate": 0.0}, "{'learning_rate': 0.0}"),
]


@pytest.mark.parametrize(("metrics", "line"), LINES)
def test_a_console_line_has_four_significant_digits_and_no_exponent(metrics, line):
    assert console_line(metrics) == line


@pytest.fixture
def environ(monkeypatch, tmp_path):
    """Sets variables of Weights & Biases, which caches them for a process; hides the user's netrc."""
    wandb.teardown()
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    yield monkeypatch.setenv
    wandb.teardown()


@pytest.mark.train
def test_weights_and_biases_gets_the_same_curves_and_no_machine_details(start, config, environ, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/home/someone/bin/train-their-model"])
    environ("WANDB_MODE", "offline")
    environ("WANDB_API_KEY", KEY)
    out = start(name="invoices-1", **reporting_to(config, ReportTo.wandb))
    assert not (out / "logs").exists()
    (kept,) = (out / "runs").rglob("*.wandb")
    curves = curves_in(kept)
    assert curves.keys() >= GUIDE_METRICS
    metrics = json.loads((out / "metrics.json").read_text())
    assert curves["eval_loss"] == pytest.approx({e["step"]: e["eval_loss"] for e in metrics["eval_history"]})
    files = [path for path in (out / "runs").rglob("*") if path.is_file()]
    assert "wandb-metadata.json" not in {path.name for path in files}
    written = b"".join(path.read_bytes() for path in files)
    assert KEY.encode() not in written
    assert b"train-their-model" not in written


def test_a_missing_key_is_reported_before_any_data_is_read(start, config, environ):
    with pytest.raises(UserError, match="no API key of Weights & Biases") as caught:
        start(dataset_path="nowhere.jsonl", **reporting_to(config, ReportTo.wandb))
    assert caught.value.reason is FailureReason.InvalidConfig
    assert "WANDB_MODE=offline" in caught.value.remedy


@pytest.mark.train  # waits for the service of Weights & Biases
def test_curves_are_kept_in_files_when_the_service_is_unreachable(tmp_path, environ, monkeypatch, caplog):
    environ("WANDB_API_KEY", KEY)
    environ("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(weights_and_biases, "_START_SECONDS", 1)
    curves = WeightsAndBiases(tmp_path / "runs", "invoices-1", {})
    curves.write({"train_loss": 2.5}, 1)
    curves.close()
    wandb.teardown()  # its service has written everything then
    assert "Curves are kept in" in caplog.text
    (kept,) = (tmp_path / "runs").rglob("offline-run-*/*.wandb")
    assert curves_in(kept) == {"train_loss": {1: 2.5}}
