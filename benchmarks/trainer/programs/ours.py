"""Trains with `finscribe train`, with its defaults except where the comparison sets a value.

`python -m benchmarks.trainer.programs.ours SETTINGS FOLDER` leaves the adapter in FOLDER/run/final_model.
"""

import sys
from pathlib import Path
from typing import Any

import yaml

from finscribe_trainer.cli.train import train  # first, as it is in the command: before PyTorch

# isort: split
from benchmarks.trainer.programs.step_recorder import steps_recorded_to
from benchmarks.trainer.settings import LORA_MODULES, Settings, read_settings


def config(settings: Settings, output_dir: Path) -> dict[str, Any]:
    """The config of the run, with one evaluation after the last step, which saves the adapter."""
    return {
        "model_name_or_path": settings.model,
        "dataset_path": str(settings.rows),
        "validation_path": str(settings.validation_rows),
        "output_dir": str(output_dir),
        "lora": {
            "r": settings.lora_r,
            "alpha": settings.lora_alpha,
            "dropout": 0.0,
            "target_modules": list(LORA_MODULES),
        },
        "training": {
            "num_train_epochs": settings.num_epochs,
            "per_device_train_batch_size": settings.batch_size,
            "per_device_eval_batch_size": 1,
            "gradient_accumulation_steps": 1,
            "learning_rate": settings.learning_rate,
            "lr_scheduler_type": "constant",
            "weight_decay": 0.0,
            "max_grad_norm": 1.0,
            "optim": "adamw_torch",
            "bf16": settings.bf16,
            "dataloader_num_workers": settings.num_workers,
            "gradient_checkpointing": settings.gradient_checkpointing,
            "max_sequence_length": settings.max_sequence_length,
            "logging_steps": 1,
            "eval_steps": settings.num_steps,
            "report_to": [],
            "seed": settings.seed,
        },
        "early_stopping": {"enabled": False},
        "evaluation": {"enabled": False, "training_documents": 0},
    }


def main(settings: Settings, folder: Path) -> None:
    """Write the config and run the command."""
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(config(settings, folder / "run")), encoding="utf-8")
    with steps_recorded_to(folder):
        train.main(["--config", str(file), "--strict"])


if __name__ == "__main__":
    main(read_settings(Path(sys.argv[1])), Path(sys.argv[2]))
