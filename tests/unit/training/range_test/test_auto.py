"""`learning_rate: auto`: a run chooses its learning rate by a range test before its first step."""

import json
import socket
from pathlib import Path

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file

from finscribe_core.constants import BUILT_IN_MODEL
from finscribe_core.report import Phase
from finscribe_core.trainer_config import Method, TrainerConfig
from finscribe_trainer.pipeline.recipe import train
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopRequested, StopSignal
from finscribe_trainer.training.checkpoints import read_checkpoint
from finscribe_trainer.training.range_test import choose
from finscribe_trainer.training.range_test.run import ExponentialSchedule
from finscribe_trainer.training.run import Run

pytestmark = pytest.mark.train


@pytest.fixture(autouse=True)
def short_test(monkeypatch):
    monkeypatch.setattr(choose, "SCHEDULE", ExponentialSchedule(1e-4, 1.0, 24))


def with_rate(config: TrainerConfig, rate, folder: str, **changes) -> TrainerConfig:
    """The config with a learning rate, with dropout, in an output folder of its own."""
    training = config.training.model_copy(update={"learning_rate": rate, **changes})
    lora = config.lora.model_copy(update={"dropout": 0.1})
    out = f"{config.output_dir}-{folder}"
    return config.model_copy(update={"training": training, "lora": lora, "output_dir": out})


def start(config: TrainerConfig, resume=None, stop=None) -> Run:
    return Run(config, "", resume, RunReporter(run="", job=""), stop or StopSignal())


def figures(config: TrainerConfig) -> dict:
    return json.loads((Path(config.output_dir) / "metrics.json").read_text())


def losses(config: TrainerConfig) -> list:
    history = figures(config)
    return [entry["loss"] for entry in history["train_history"]] + [
        entry["eval_loss"] for entry in history["eval_history"]
    ]


@pytest.mark.parametrize("method", Method)
def test_the_training_is_the_same_as_with_the_chosen_rate_given_by_hand(config, tmp_path, method):
    config = config.model_copy(update={"method": method})
    auto = with_rate(config, "auto", "auto")
    run = start(auto)
    result = train(run)
    chosen = float(result.learning_rate.chosen)
    assert 1e-3 < chosen < 1
    by_hand = with_rate(config, chosen, "by-hand")
    assert train(start(by_hand)).learning_rate is None
    assert losses(auto) == losses(by_hand)

    assert float(result.learning_rate.lowest) <= chosen <= float(result.learning_rate.highest)
    assert 1 < len(result.learning_rate.rates) == len(result.learning_rate.losses) <= 12
    assert run.reporter.prometheus.registry.get_sample_value(
        "finscribe_chosen_learning_rate", {"finetunejob": "", "run": ""}
    ) == pytest.approx(chosen)
    assert result.progress.phase_seconds.calibrating is not None
    test = figures(auto)["range_test"]
    assert chosen == test["suggestion"]
    assert len(test["losses"]) == len(test["learning_rates"]) <= 24
    card = (tmp_path / "out-auto" / "final_model" / "README.md").read_text()
    assert f"The learning rate {chosen:g} was chosen by a range test" in card
    assert (tmp_path / "out-auto" / "final_model" / "learning_rate.png").read_bytes().startswith(b"\x89PNG")


def test_a_resumed_run_keeps_its_rate_without_another_test(config, tmp_path, monkeypatch):
    whole = with_rate(config, "auto", "whole")
    expected = train(start(whole))
    checkpoint = tmp_path / "out-whole" / "checkpoint-2"
    assert read_checkpoint(checkpoint).range_test == figures(whole)["range_test"]

    monkeypatch.setattr(choose, "range_test", None)
    resumed = with_rate(config, "auto", "resumed")
    result = train(start(resumed, resume=str(checkpoint)))
    assert result.learning_rate == expected.learning_rate
    first, second = (
        load_file(tmp_path / f"out-{name}/final_model/adapter_model.safetensors")
        for name in ("whole", "resumed")
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_checkpoint_of_a_training_with_a_number_is_resumed_with_that_number(config, tmp_path, monkeypatch):
    train(start(with_rate(config, 3e-3, "given")))
    monkeypatch.setattr(choose, "range_test", None)
    result = train(
        start(with_rate(config, "auto", "resumed"), resume=str(tmp_path / "out-given" / "checkpoint-2"))
    )
    assert result.learning_rate.chosen == "0.003"


def test_a_usual_rate_is_used_with_a_warning_when_the_test_finds_none(config, monkeypatch, caplog):
    monkeypatch.setattr(choose, "SCHEDULE", ExponentialSchedule(1e-9, 1e-8, 8))  # too few steps
    result = train(start(with_rate(config, "auto", "auto")))
    assert (result.learning_rate.chosen, result.learning_rate.lowest) == ("0.0002", None)
    assert "The training uses 0.0002" in caplog.text


def test_the_hub_is_not_asked_for_the_built_in_model(config, monkeypatch):
    asked, resolve = [], socket.getaddrinfo

    def refuse(host, *rest, **options):
        if host == "127.0.0.1":  # a server of other tests in this process
            return resolve(host, *rest, **options)
        asked.append(host)
        raise socket.gaierror(f"no network: {host}")

    monkeypatch.setattr(choose, "SCHEDULE", ExponentialSchedule(1e-9, 1e-8, 2))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    built_in = config.model_copy(update={"model_name_or_path": BUILT_IN_MODEL})
    train(start(with_rate(built_in, "auto", "auto", max_steps=1)))
    assert not asked


def test_a_stop_during_the_test_ends_the_run(config):
    stop = StopSignal()

    class StopsInTheTest(RunReporter):
        def set_phase(self, phase: Phase) -> None:
            super().set_phase(phase)
            if phase is Phase.Calibrating:
                stop.requested.set()

    run = Run(with_rate(config, "auto", "auto"), "", None, StopsInTheTest(run="", job=""), stop)
    with pytest.raises(StopRequested):
        train(run)
