"""A resumed run equals an uninterrupted one, wherever it stopped: weights, best adapter, history."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import TrainerCallback

from finscribe_core.errors import RetryableError
from finscribe_core.overrides import apply_overrides
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.pipeline.recipe import train
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.training import fit
from finscribe_trainer.training.run import Run
from finscribe_trainer.training.trainer import AnswerTrainer
from finscribe_trainer.training.validation_documents import ValidationDocuments

pytestmark = pytest.mark.train

EVERYTHING = {
    "training.max_steps": 8,
    "training.eval_steps": 2,
    "training.logging_steps": 3,
    "training.group_by_length": True,
    "lora.dropout": 0.3,
    "augmentation.enabled": True,
    "curriculum.enabled": True,
    "early_stopping.patience": 2,
    "early_stopping.min_delta": 0.2,
    "evaluation.training_documents": 2,
    "evaluation.max_new_tokens": 4,
}


TIMES = ("train_runtime", "train_tokens_per_second")


def start(config: TrainerConfig, stop: StopSignal, resume: str | None = None) -> None:
    train(Run(config, name="", resume=resume, reporter=RunReporter(run="", job=""), stop=stop))


def outcome(config: TrainerConfig) -> dict[str, Any]:
    """What must be equal: the exported adapter's bytes, and all metrics except times and resume step."""
    folder = Path(config.output_dir)
    metrics = json.loads((folder / "metrics.json").read_text())
    kept = ("best_step", "steps", "epoch", "stopped_early", "eval_history", "base_eval_loss")
    adapter = (folder / "final_model" / "adapter_model.safetensors").read_bytes()
    train_history = [
        {name: value for name, value in entry.items() if name not in TIMES}
        for entry in metrics["train_history"]
    ]
    return {"adapter": adapter, "train_history": train_history, **{name: metrics[name] for name in kept}}


class StopAtStep(TrainerCallback):
    """Requests a stop within a step."""

    def __init__(self, stop: StopSignal, step: int) -> None:
        self.stop = stop
        self.step = step

    def on_substep_end(self, args, state, control, **_: Any) -> None:
        if state.global_step + 1 == self.step:
            self.stop.requested.set()


def within_step(step: int) -> Callable[[pytest.MonkeyPatch, StopSignal], None]:
    def install(monkeypatch: pytest.MonkeyPatch, stop: StopSignal) -> None:
        build = fit.build_trainer

        def build_and_stop(*args: Any) -> AnswerTrainer:
            trainer = build(*args)
            trainer.add_callback(StopAtStep(stop, step))
            return trainer

        monkeypatch.setattr(fit, "build_trainer", build_and_stop)

    return install


def while_evaluating_documents(evaluation: int) -> Callable[[pytest.MonkeyPatch, StopSignal], None]:
    """Request a stop in the evaluation with this number; the first is that of the base model."""

    def install(monkeypatch: pytest.MonkeyPatch, stop: StopSignal) -> None:
        read, evaluations = ValidationDocuments.read, []

        def read_and_stop(*args: Any) -> Any:
            evaluations.append(1)
            if len(evaluations) == evaluation:
                stop.requested.set()
            return read(*args)

        monkeypatch.setattr(ValidationDocuments, "read", read_and_stop)

    return install


STOPS = {
    "within the first step": (within_step(1), 1),
    "within a step of another epoch, between two log lines": (within_step(5), 5),
    "before an evaluation": (within_step(4), 4),
    "while documents are evaluated": (while_evaluating_documents(3), 4),
    "in the last evaluation of documents": (while_evaluating_documents(5), 8),
}


@pytest.fixture
def make_config(config, tmp_path) -> Callable[..., TrainerConfig]:
    def make(name: str, **settings: Any) -> TrainerConfig:
        raw = config.model_dump(mode="json", exclude_unset=True) | {"output_dir": str(tmp_path / name)}
        return TrainerConfig.model_validate(apply_overrides(TrainerConfig, raw, EVERYTHING | settings, name))

    return make


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    """The outcome of the uninterrupted run, after the first test has computed it."""
    return {}


@pytest.mark.parametrize(("install", "step"), STOPS.values(), ids=STOPS)
def test_a_stopped_and_resumed_run_equals_an_uninterrupted_one(
    install, step, make_config, expected, monkeypatch
):
    if not expected:
        whole = make_config("whole")
        start(whole, StopSignal())
        expected.update(outcome(whole))
    config, stop = make_config("stopped"), StopSignal()
    with monkeypatch.context() as patched:
        install(patched, stop)
        with pytest.raises(RetryableError, match=f"after step {step}"):
            start(config, stop)
    start(config, StopSignal(), resume=f"{config.output_dir}/checkpoint-{step}")
    found = outcome(config)
    assert found.pop("adapter") == expected["adapter"]
    assert found == {name: value for name, value in expected.items() if name != "adapter"}
