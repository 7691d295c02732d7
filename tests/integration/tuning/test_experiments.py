"""Experiments and sweeps with the tiny model; every training is a process of its own."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from finscribe_core.cli import main_command
from finscribe_core.constants import EXIT_DONE, EXIT_RETRY
from finscribe_core.errors import FailureReason, UserError


@pytest.fixture
def config(sample: Path, tmp_path: Path) -> Path:
    """A config of two steps, with an evaluation after each."""
    training = {
        "learning_rate": 5e-3,
        "max_steps": 2,
        "per_device_train_batch_size": 4,
        "gradient_accumulation_steps": 1,
        "gradient_checkpointing": False,
        "eval_steps": 1,
        "dataloader_num_workers": 0,
        "report_to": [],
    }
    data = {
        "model_name_or_path": str(sample / "model"),
        "dataset_path": str(sample / "train.jsonl"),
        "validation_path": str(sample / "val.jsonl"),
        "training": training,
        "evaluation": {"training_documents": 0, "max_new_tokens": 8},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(data))
    return tmp_path / "config.yaml"


@pytest.fixture
def plan(config: Path) -> Path:
    """An experiments file: one experiment learns faster, one can't be trained."""
    experiments = [
        {"name": "broken", "overrides": {"lora.target_modules": ["nowhere"]}},
        {"name": "faster", "overrides": {"training.learning_rate": 2e-2}},
    ]
    path = config.with_name("experiments.yaml")
    path.write_text(yaml.safe_dump({"config": "config.yaml", "experiments": experiments}))
    return path


def call(*arguments: object):
    return CliRunner().invoke(main_command, [str(argument) for argument in arguments])


def test_a_failed_experiment_does_not_stop_the_others_and_finished_ones_are_not_repeated(plan, tmp_path):
    folder = tmp_path / "out"
    result = call("experiments", "run", plan, "--output-dir", folder)
    assert isinstance(result.exception, UserError), result.output
    assert result.exception.reason is FailureReason.LoraTargetsNotFound
    runs = {run["name"]: run for run in json.loads((folder / "results.json").read_text())["runs"]}
    assert {name: run["state"] for name, run in runs.items()} == {
        **{"baseline": "finished", "broken": "failed", "faster": "finished"}
    }
    losses = {name: run["best"]["loss"] for name, run in runs.items() if run["best"]}
    assert losses["faster"] < losses["baseline"]
    metrics = json.loads((folder / "faster" / "metrics.json").read_text())
    assert losses["faster"] == metrics["best_eval_loss"]
    assert "4 documents are too few" in runs["faster"]["judgement"]["said"]

    before = (folder / "faster" / "metrics.json").stat().st_mtime_ns
    again = call("experiments", "run", plan, "--output-dir", folder, "--name", "baseline", "--name", "faster")
    assert again.exit_code == EXIT_DONE, again.output
    assert (folder / "faster" / "metrics.json").stat().st_mtime_ns == before

    other = call("experiments", "run", plan, "--output-dir", folder, "--set", "training.max_steps=3")
    assert "started with other settings (training.max_steps)" in str(other.exception)


def test_a_stop_saves_a_checkpoint_from_which_the_same_command_resumes(plan, tmp_path):
    folder = tmp_path / "out"
    command = [
        *(sys.executable, "-m", "finscribe_trainer", "experiments", "run", str(plan)),
        *("--output-dir", str(folder), "--name", "baseline"),
        *("--set", "training.max_steps=20", "--set", "evaluation.enabled=false"),
    ]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not list(folder.glob("baseline/checkpoint-*/trainer_state.json")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == EXIT_RETRY
    finally:
        process.kill()
    assert not (folder / "baseline" / "metrics.json").exists()
    assert subprocess.run(command, check=False, capture_output=True).returncode == EXIT_DONE
    metrics = json.loads((folder / "baseline" / "metrics.json").read_text())
    assert metrics["steps"] == 20
    assert "checkpoint-" in metrics["resumed_from"]


def test_a_sweep_resumes_with_the_next_trial_and_writes_the_best_settings(config, tmp_path):
    folder = tmp_path / "sweep"
    arguments = [
        "--config",
        config,
        "--output-dir",
        folder,
        "--param",
        "training.learning_rate=log:1e-4:2e-2",
    ]
    first = call("sweep", *arguments, "--trials", 1)
    assert first.exit_code == EXIT_DONE, first.output
    second = call("sweep", *arguments, "--trials", 2)
    assert second.exit_code == EXIT_DONE, second.output
    found = json.loads((folder / "trials.json").read_text())
    values = {trial["number"]: trial["value"] for trial in found["trials"]}
    rates = {trial["number"]: trial["overrides"]["training.learning_rate"] for trial in found["trials"]}
    assert list(values) == [0, 1]
    for number, value in values.items():
        trained = json.loads((folder / f"trial-{number}" / "metrics.json").read_text())
        assert trained["best_eval_loss"] == value
    assert found["best"] == min(values, key=values.__getitem__)
    best = yaml.safe_load((folder / "best.yaml").read_text())
    assert best["training"]["learning_rate"] == rates[found["best"]]
    assert "enabled" not in best["evaluation"]  # only trials skip the final evaluation
    assert f"--set training.learning_rate={rates[found['best']]}" in second.output
    assert len(set(rates.values())) == 2
    assert not list(folder.glob("trial-*/checkpoint-*"))
