"""What the model and the rows of a benchmark are."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True)
class Facts:
    """Counted when they were made."""

    FILE: ClassVar[str] = "facts.json"

    parameters: int
    """Of the base model."""
    vision_parameters: int
    """Of its vision tower."""
    trained_parameters: int
    """Of the adapter."""
    prompt_tokens: int
    """Of all training rows, those of images included."""
    answer_tokens: int

    @property
    def tokens(self) -> int:
        """Of prompts and answers in an epoch: by these every side's tokens per second are counted."""
        return self.prompt_tokens + self.answer_tokens


def read_facts(folder: Path) -> Facts:
    """What the preparation wrote."""
    return Facts(**json.loads((folder / Facts.FILE).read_text(encoding="utf-8")))
