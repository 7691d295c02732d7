"""The trainer's config of the example's job, for rows on this machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from finscribe_core.api.job_settings import build_trainer_config
from finscribe_core.api.v1alpha1 import FineTuneJob
from finscribe_core.overrides import apply_overrides
from finscribe_core.trainer_config import TrainerConfig

EXAMPLE = Path(__file__).parents[2] / "examples" / "finetunejob.yaml"


@dataclass(frozen=True)
class Method:
    """A way to train."""

    title: str
    overrides: dict[str, Any]
    """What differs from the example, by dotted path of the trainer's config."""


LONGER: dict[str, Any] = {
    "training.learning_rate": 6e-3,
    "training.num_train_epochs": 2,
    "training.per_device_train_batch_size": 4,
    "training.eval_steps": 120,
    "early_stopping.min_delta": 0.002,
}
"""1,200 steps of 4 documents instead of 1,680 of 2."""
METHODS = {
    "lora": Method("LoRA", {}),
    "lora-longer": Method("LoRA, 1,200 steps of 4", LONGER),
    "qlora-longer": Method("QLoRA, 1,200 steps of 4", {"method": "QLoRA", **LONGER}),
    "qlora": Method("QLoRA", {"method": "QLoRA"}),
}


def training_config(method: Method, seed: int, sample: Path, run: Path) -> dict[str, Any]:
    """The config as in a file for `finscribe train`, without an evaluation at its end.

    Args:
        method: What differs from the example.
        seed: `training.seed`.
        sample: Folder of `finscribe sample`.
        run: Output folder of the training.
    """
    job = FineTuneJob.model_validate(yaml.safe_load(EXAMPLE.read_text(encoding="utf-8")))
    config = build_trainer_config(job)
    local = {
        "dataset_path": str(sample / "train.jsonl"),
        "validation_path": str(sample / "val.jsonl"),
        "test_path": None,
        "output_dir": str(run),
        "output_uri": None,
        "output_formats": ["Adapter"],
        "evaluation.enabled": False,
        "evaluation.gate": None,
        "training.seed": seed,
        "training.report_to": [],
    }
    written = config.model_dump(mode="json", exclude_unset=True)
    return apply_overrides(TrainerConfig, written, {**local, **method.overrides}, "the benchmark's")
