"""Writes a run's results: adapter, config and metrics, and the folder to publish."""

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.runtime.files import follow_umask
from finscribe_trainer.runtime.output_layout import (
    CONFIG_FILE,
    LOGS_DIR,
    METRICS_FILE,
    PUBLISHED_DIRS,
    RESULT_NAMES,
)
from finscribe_trainer.runtime.outputs import remove
from finscribe_trainer.training.checkpoints import local_checkpoints

if TYPE_CHECKING:
    from peft import PeftModel

    from finscribe_trainer.model.families.base import Family


def export_adapter(model: "PeftModel", family: "Family", folder: Path) -> None:
    """Write the adapter (safetensors) with its processor or tokenizer, and its generation config."""
    from finscribe_trainer.model.adapter import save_adapter  # noqa: PLC0415 - slow to import
    from finscribe_trainer.model.generation_config import trained_generation_config  # noqa: PLC0415 - slow to import

    save_adapter(model, folder)
    follow_umask(folder)
    family.processing.save_pretrained(folder)
    trained_generation_config(model.get_base_model(), family).save_pretrained(folder)


def write_config(config: TrainerConfig, path: Path) -> None:
    """Write the config with all defaults, as a file that `finscribe train` accepts."""
    data = config.model_dump(mode="json", exclude_none=True)
    path.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8")


def write_metrics(metrics: dict[str, Any], path: Path) -> None:
    """Write metrics.json."""
    path.write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")


def remove_training(output_dir: Path) -> None:
    """Remove results, checkpoints and curves of an earlier training; metrics.json is removed first."""
    for name in (*RESULT_NAMES, LOGS_DIR):
        remove(output_dir / name)
    for folder in local_checkpoints(output_dir):
        remove(folder)


def stage_result(output_dir: Path, folder: Path) -> None:
    """Create `folder` with the layout of the bucket, as hard links to the results in `output_dir`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, published in PUBLISHED_DIRS.items():
        if (output_dir / name).is_dir():
            shutil.copytree(output_dir / name, folder / published, copy_function=os.link)
    for name in (METRICS_FILE, CONFIG_FILE):
        os.link(output_dir / name, folder / name)
