"""A training that resumes with other settings of optimizer and schedule uses them from its first step on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import TrainerCallback

from finscribe_core.overrides import apply_overrides
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.pipeline.recipe import train
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.training import fit
from finscribe_trainer.training.run import Run
from finscribe_trainer.training.trainer import AnswerTrainer

pytestmark = pytest.mark.train

CHANGES: dict[str, tuple[dict[str, Any], list[float], float]] = {
    "twice as many steps": ({"training.max_steps": 6}, [5e-3 * left / 6 for left in (3, 2, 1)], 0.0),
    "a smaller learning rate": (
        {"training.max_steps": 6, "training.learning_rate": 1e-3},
        [1e-3 * left / 6 for left in (3, 2, 1)],
        0.0,
    ),
    "a constant schedule": (
        {"training.max_steps": 5, "training.lr_scheduler_type": "constant"},
        [5e-3, 5e-3],
        0.0,
    ),
    "weight decay": (
        {"training.max_steps": 4, "training.weight_decay": 0.1},
        [5e-3 / 4],
        0.1,
    ),
}


class Recorder(TrainerCallback):
    """Records learning rate and weight decay that each step is taken with."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.weight_decay = 0.0

    def on_pre_optimizer_step(self, args, state, control, **given: Any) -> None:
        group = given["optimizer"].param_groups[0]
        self.rates.append(group["lr"])
        self.weight_decay = group["weight_decay"]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Recorder]:
    def run_recorded(config: TrainerConfig, resume: str | None = None) -> Recorder:
        build, recorder = fit.build_trainer, Recorder()

        def build_recorded(*args: Any) -> AnswerTrainer:
            trainer = build(*args)
            trainer.add_callback(recorder)
            return trainer

        with monkeypatch.context() as patched:
            patched.setattr(fit, "build_trainer", build_recorded)
            train(Run(config, "", resume, RunReporter(run="", job=""), StopSignal()))
        return recorder

    return run_recorded


def changed(config: TrainerConfig, folder: Path, **settings: Any) -> TrainerConfig:
    raw = config.model_dump(mode="json", exclude_unset=True) | {"output_dir": str(folder)}
    linear = {
        "training.lr_scheduler_type": "linear",
        "training.warmup_ratio": 0.0,
        "training.weight_decay": 0.0,
    }
    return TrainerConfig.model_validate(apply_overrides(TrainerConfig, raw, linear | settings, "the test's"))


@pytest.mark.parametrize(("settings", "rates", "weight_decay"), CHANGES.values(), ids=CHANGES)
def test_a_resumed_training_takes_its_steps_with_the_settings_it_is_given(
    settings, rates, weight_decay, config, run, tmp_path
):
    first = changed(config, tmp_path / "first")
    assert run(first).rates == pytest.approx([5e-3, 5e-3 * 2 / 3, 5e-3 / 3])
    resumed = run(changed(config, tmp_path / "more", **settings), f"{first.output_dir}/checkpoint-3")
    assert resumed.rates == pytest.approx(rates)
    assert resumed.weight_decay == weight_decay
