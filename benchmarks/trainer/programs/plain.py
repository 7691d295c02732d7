"""Trains with PaddleOCR-VL's own class, peft and an unmodified Hugging Face Trainer.

`python -m benchmarks.trainer.programs.plain SETTINGS FOLDER` leaves the adapter in FOLDER/adapter.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from PIL import Image
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    ProcessorMixin,
    Trainer,
    TrainingArguments,
)

from benchmarks.trainer.programs.step_recorder import steps_recorded_to
from benchmarks.trainer.settings import Settings, read_rows, read_settings


@dataclass
class Collator:
    """Collates rows as the processor encodes them; only answer tokens have labels."""

    processor: ProcessorMixin

    def __call__(self, rows: list[dict[str, str]]) -> dict[str, torch.Tensor]:
        """A batch, padded to its longest row."""
        tokenizer: Any = self.processor.tokenizer
        encoded = [self._encode(row, tokenizer) for row in rows]
        fill = {
            "input_ids": tokenizer.pad_token_id,
            "labels": -100,
            "mm_token_type_ids": 0,
            "attention_mask": 0,
        }
        batch = {
            key: torch.nn.utils.rnn.pad_sequence(
                [row[key] for row in encoded], batch_first=True, padding_value=value
            )
            for key, value in fill.items()
        }
        for key in ("pixel_values", "image_grid_thw"):
            batch[key] = torch.cat([row[key] for row in encoded])
        return batch

    def _encode(self, row: dict[str, str], tokenizer: Any) -> dict[str, torch.Tensor]:
        content = [
            {"type": "image", "image": Image.open(row["image"])},
            {"type": "text", "text": row["prompt"]},
        ]
        messages: list[Any] = [{"role": "user", "content": content}]
        inputs: Any = self.processor.apply_chat_template(
            messages,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        ids = tokenizer(row["completion"], add_special_tokens=False)["input_ids"]
        answer = torch.tensor([*ids, tokenizer.eos_token_id])
        prompt = inputs["input_ids"][0]
        return {
            "input_ids": torch.cat([prompt, answer]),
            "labels": torch.cat([torch.full_like(prompt, -100), answer]),
            "mm_token_type_ids": torch.cat([inputs["mm_token_type_ids"][0], torch.zeros_like(answer)]),
            "attention_mask": torch.ones(len(prompt) + len(answer), dtype=torch.long),
            "pixel_values": inputs["pixel_values"],
            "image_grid_thw": inputs["image_grid_thw"],
        }


def load_model(settings: Settings) -> PeftModel:
    """The frozen base model with the initial adapter."""
    dtype = torch.bfloat16 if settings.bf16 else torch.float32
    model = AutoModelForImageTextToText.from_pretrained(settings.model, dtype=dtype)
    return PeftModel.from_pretrained(model, settings.initial_adapter, is_trainable=True)


def hyperparameters(settings: Settings, folder: Path) -> dict[str, Any]:
    """Values of `TrainingArguments`; one epoch, because the rows file holds the rows of all epochs."""
    return {
        "output_dir": str(folder / "run"),
        "num_train_epochs": 1,
        "train_sampling_strategy": "sequential",
        "per_device_train_batch_size": settings.batch_size,
        "gradient_accumulation_steps": 1,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": "constant",
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        "optim": "adamw_torch",
        "bf16": settings.bf16,
        "dataloader_num_workers": settings.num_workers,
        "remove_unused_columns": False,
        "gradient_checkpointing": settings.gradient_checkpointing,
        "gradient_checkpointing_kwargs": {"use_reentrant": False},
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "seed": settings.seed,
        "use_cpu": not torch.cuda.is_available(),
    }


def main(settings: Settings, folder: Path) -> None:
    """Train and save the adapter."""
    processor = AutoProcessor.from_pretrained(settings.model)
    with steps_recorded_to(folder):
        trainer = Trainer(
            model=load_model(settings),
            args=TrainingArguments(**hyperparameters(settings, folder)),
            data_collator=Collator(processor),
            train_dataset=read_rows(settings.ordered_rows),
        )
        trainer.train()
    trainer.save_model(str(folder / "adapter"))


if __name__ == "__main__":
    main(read_settings(Path(sys.argv[1])), Path(sys.argv[2]))
