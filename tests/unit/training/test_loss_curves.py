"""Compares the losses of six steps of the tiny model with golden files: a difference is intended or a bug.

A new case is a line in CASES and a file tests/golden/loss_curves/<name>.json, which
`make update-golden` writes. A case that must not change the losses names the golden of another.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from finscribe_core.errors import RetryableError
from finscribe_core.overrides import apply_overrides
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.pipeline.recipe import train
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.training.run import Run

pytestmark = pytest.mark.train

GOLDEN = Path(__file__).parents[2] / "golden" / "loss_curves"


def train_at_once(config: TrainerConfig) -> None:
    train(Run(config, name="", resume=None, reporter=RunReporter(run="", job=""), stop=StopSignal()))


class StopsAfterStep(RunReporter):
    """Requests a stop after a step, so that the next step is the last."""

    def __init__(self, stop: StopSignal, after: int) -> None:
        super().__init__(run="", job="")
        self.stop = stop
        self.after = after

    def record_step(self, step: int, total: int, epoch: float) -> None:
        super().record_step(step, total, epoch)
        if step == self.after:
            self.stop.requested.set()


def train_in_two_parts(config: TrainerConfig) -> None:
    """The first ends at the fourth step, before the evaluation that belongs to it."""
    stop = StopSignal()
    with pytest.raises(RetryableError, match="saved after step 4"):
        train(Run(config, name="", resume=None, reporter=StopsAfterStep(stop, 3), stop=stop))
    resume = f"{config.output_dir}/checkpoint-4"
    train(Run(config, name="", resume=resume, reporter=RunReporter(run="", job=""), stop=StopSignal()))


@dataclass(frozen=True)
class Case:
    settings: dict[str, Any] = field(default_factory=dict)
    """Settings by dotted path, beside those of `curve_config`."""
    golden: str = ""
    """The case whose losses these must be; its own when empty."""
    train: Callable[[TrainerConfig], None] = train_at_once


WEIGHTS = {"loss.number_weight": 2.0, "loss.field_weights": {"vendor_block": 3.0, "po_number": 0.5}}
ONE_BATCH_A_STEP = {"training.per_device_train_batch_size": 4, "training.gradient_accumulation_steps": 1}
ONE_ROW_A_STEP = {"training.per_device_train_batch_size": 1, "training.gradient_accumulation_steps": 1}
OTHER_WAYS = {
    "training.gradient_checkpointing": True,
    "training.attn_implementation": "eager",
    "training.optim": "adamw_torch_fused",
}

CASES = {
    "lora": Case(),
    "qlora": Case({"method": "QLoRA"}),
    "focal": Case({"loss.use_focal": True}),
    "label_smoothing": Case({"loss.use_label_smoothing": True}),
    "weighted": Case(WEIGHTS),
    "weighted, in other batches": Case(WEIGHTS | ONE_BATCH_A_STEP, golden="weighted"),
    "weighted, packed": Case(WEIGHTS | {"training.packing": True}, golden="weighted"),
    "checkpointing, eager attention, fused optimizer": Case(OTHER_WAYS, golden="lora"),
    "8-bit optimizer": Case({"training.optim": "adamw_bnb_8bit"}, golden="lora"),
    "packing": Case({"training.packing": True}, golden="lora"),
    "padding": Case({"training.packing": False}, golden="lora"),
    "cache_on": Case({"feature_cache.enabled": True}, golden="lora"),
    "cache_off": Case({"feature_cache.enabled": False}, golden="lora"),
    "resumed": Case(golden="lora", train=train_in_two_parts),
    "group_by_length": Case({"training.group_by_length": True} | ONE_ROW_A_STEP),
    "curriculum": Case({"curriculum.enabled": True}),
    "augmentation": Case({"augmentation.enabled": True}),
    "augmentation, cached": Case(
        {"augmentation.enabled": True, "augmentation.num_views": 3}, golden="augmentation"
    ),
}


@pytest.fixture
def curve_config(sample, tmp_path) -> dict[str, Any]:
    """Three epochs of eight rows. Without dropout, whose random numbers depend on the kind of CPU."""
    return {
        "model_name_or_path": str(sample / "model"),
        "dataset_path": str(sample / "train.jsonl"),
        "validation_path": str(sample / "val.jsonl"),
        "output_dir": str(tmp_path / "out"),
        "lora": {"dropout": 0.0},
        "training": {
            "learning_rate": 5e-3,
            "max_steps": 6,
            "per_device_train_batch_size": 2,
            "gradient_accumulation_steps": 2,
            "eval_steps": 2,
            "logging_steps": 1,
            "gradient_checkpointing": False,
            "dataloader_num_workers": 0,
        },
        "evaluation": {"enabled": False, "training_documents": 0},
    }


@pytest.mark.parametrize("name", CASES)
def test_losses_equal_the_golden_ones(name, curve_config, update_golden):
    case = CASES[name]
    config = TrainerConfig.model_validate(apply_overrides(TrainerConfig, curve_config, case.settings, name))
    case.train(config)
    curve = read_curve(Path(config.output_dir))
    file = GOLDEN / f"{case.golden or name}.json"
    expected = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if update_golden and not case.golden and curve != as_on_any_machine(expected):
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(curve, indent=2) + "\n", encoding="utf-8")
        return
    assert curve == as_on_any_machine(expected)


def as_on_any_machine(curve: dict[str, list[float]]) -> dict[str, Any]:
    """Kinds of CPUs differ in the seventh digit."""
    return {metric: pytest.approx(values, rel=1e-4) for metric, values in curve.items()}


def read_curve(output_dir: Path) -> dict[str, list[float]]:
    """Every loss of a run, to seven digits."""
    metrics = json.loads((output_dir / "metrics.json").read_text(encoding="utf-8"))
    losses = {
        "base_eval_loss": [metrics["base_eval_loss"]],
        "loss": [entry["loss"] for entry in metrics["train_history"]],
        "eval_loss": [entry["eval_loss"] for entry in metrics["eval_history"]],
    }
    return {name: [float(f"{value:.7g}") for value in values] for name, values in losses.items()}
