"""Trains with ms-swift's `swift sft`.

`python -m benchmarks.trainer.programs.with_swift SETTINGS FOLDER` leaves the adapter in
FOLDER/run/checkpoint-STEPS.
"""

import json
import sys
from pathlib import Path
from typing import Any

from swift.pipelines import sft_main
from swift.template.templates.baidu import PaddleOCRTemplate
from swift.trainers import patcher  # noqa: F401 - replaces the callbacks to which the recorder is added
from transformers import AutoConfig

from benchmarks.trainer.programs.step_recorder import steps_recorded_to
from benchmarks.trainer.settings import LORA_PATTERN, Settings, read_rows, read_settings


def conversation(row: dict[str, str]) -> dict[str, Any]:
    """A row in ms-swift's format."""
    user = {"role": "user", "content": f"<image>{row['prompt']}"}
    return {"messages": [user, {"role": "assistant", "content": row["completion"]}], "images": [row["image"]]}


def options(settings: Settings, folder: Path, rows: Path) -> dict[str, Any]:
    """Options of `swift sft`."""
    return {
        "model": settings.model,
        "model_type": "paddleocr_vl",
        "template": "paddle_ocr_1_5",
        "torch_dtype": "bfloat16" if settings.bf16 else "float32",
        "dataset": str(rows),
        "dataset_shuffle": "false",
        "train_dataloader_shuffle": "false",
        "split_dataset_ratio": 0,
        "lazy_tokenize": "true",
        "tuner_type": "lora",
        "target_regex": LORA_PATTERN,
        "lora_rank": settings.lora_r,
        "lora_alpha": settings.lora_alpha,
        "lora_dropout": 0,
        "adapters": str(settings.initial_adapter),
        "max_length": settings.max_sequence_length,
        "num_train_epochs": 1,
        "per_device_train_batch_size": settings.batch_size,
        "gradient_accumulation_steps": 1,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": "constant",
        "warmup_ratio": 0,
        "weight_decay": 0,
        "max_grad_norm": 1,
        "adam_beta2": 0.999,
        "optim": "adamw_torch",
        "gradient_checkpointing": str(settings.gradient_checkpointing).lower(),
        "gradient_checkpointing_kwargs": '{"use_reentrant": false}',
        "dataloader_num_workers": settings.num_workers,
        "logging_steps": 1,
        "save_steps": settings.num_steps,
        "save_only_model": "true",
        "output_dir": str(folder / "run"),
        "add_version": "false",
        "report_to": "none",
        "seed": settings.seed,
    }


def main(settings: Settings, folder: Path) -> None:
    """Train; the checkpoint after the last step is the adapter."""
    rows = folder / "rows.jsonl"
    lines = [json.dumps(conversation(row), ensure_ascii=False) for row in read_rows(settings.ordered_rows)]
    rows.write_text("\n".join(lines) + "\n", encoding="utf-8")
    arguments = [
        text for name, value in options(settings, folder, rows).items() for text in (f"--{name}", str(value))
    ]
    # The template uses the published models' token, not the one of the model's config.
    PaddleOCRTemplate.image_token_id = AutoConfig.from_pretrained(settings.model).image_token_id
    with steps_recorded_to(folder):
        sft_main(arguments)


if __name__ == "__main__":
    main(read_settings(Path(sys.argv[1])), Path(sys.argv[2]))
