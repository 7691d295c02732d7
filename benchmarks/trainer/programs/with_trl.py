"""Trains with TRL's SFTTrainer, as its documentation shows for vision models.

`python -m benchmarks.trainer.programs.with_trl SETTINGS FOLDER` leaves the adapter in FOLDER/adapter.
"""

import sys
from pathlib import Path
from typing import Any

from datasets import Dataset, Image
from transformers import AutoProcessor
from trl import SFTConfig, SFTTrainer

from benchmarks.trainer.programs.plain import hyperparameters, load_model
from benchmarks.trainer.programs.step_recorder import steps_recorded_to
from benchmarks.trainer.settings import Settings, read_rows, read_settings


def conversation(row: dict[str, str]) -> dict[str, Any]:
    """A row in TRL's format."""
    return {
        "prompt": [{"role": "user", "content": row["prompt"]}],
        "completion": [{"role": "assistant", "content": row["completion"]}],
        "image": row["image"],
    }


def main(settings: Settings, folder: Path) -> None:
    """Train and save the adapter."""
    rows = Dataset.from_list([conversation(row) for row in read_rows(settings.ordered_rows)])
    with steps_recorded_to(folder):
        trainer = SFTTrainer(
            model=load_model(settings),
            args=SFTConfig(**hyperparameters(settings, folder), max_length=None, completion_only_loss=True),
            train_dataset=rows.cast_column("image", Image()),
            processing_class=AutoProcessor.from_pretrained(settings.model),
        )
        trainer.train()
    trainer.save_model(str(folder / "adapter"))


if __name__ == "__main__":
    main(read_settings(Path(sys.argv[1])), Path(sys.argv[2]))
