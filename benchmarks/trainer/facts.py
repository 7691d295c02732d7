"""Describes the model and the rows of a benchmark: parameters and tokens."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from benchmarks.trainer.settings import Settings


@dataclass(frozen=True)
class Facts:
    """Sizes of model and rows, counted when they were prepared."""

    FILE: ClassVar[str] = "facts.json"

    parameters: int
    """Of the base model."""
    vision_parameters: int
    """Of its vision tower."""
    trained_parameters: int
    """Of the adapter."""
    prompt_tokens: int
    """Of all training rows, including image tokens."""
    answer_tokens: int

    @property
    def tokens(self) -> int:
        """Prompt and answer tokens of an epoch, from which all tokens per second are computed."""
        return self.prompt_tokens + self.answer_tokens

    def describe(self, settings: Settings) -> list[str]:
        """Lines of the report."""
        rows, precision = settings.num_rows, "bfloat16" if settings.bf16 else "float32"
        millions = (
            f"{self.parameters / 1e6:,.0f} M parameters, {self.vision_parameters / 1e6:,.0f} M of vision"
        )
        prompt, answer = f"{self.prompt_tokens / rows:.0f}", f"{self.answer_tokens / rows:.0f}"
        return [
            f"- Model: {millions}; LoRA of rank {settings.lora_r} on q, k, v, o of the language model trains "
            f"{self.trained_parameters:,}.",
            f"- Rows: {rows} of one page each; on average {prompt} prompt and image tokens, {answer} answer "
            "tokens.",
            f"- Training: {settings.num_epochs} epochs in the same order from the same initial adapter; "
            f"batches of {settings.batch_size}, {precision}, AdamW at a constant {settings.learning_rate:g}, "
            f"{settings.num_workers} data workers, no dropout, "
            f"{'' if settings.gradient_checkpointing else 'no '}gradient checkpointing.",
        ]


def read_facts(folder: Path) -> Facts:
    """Read what `prepare` wrote."""
    return Facts(**json.loads((folder / Facts.FILE).read_text(encoding="utf-8")))
