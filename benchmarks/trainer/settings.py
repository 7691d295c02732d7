"""The settings of a benchmark: model, rows and hyperparameters, the same for all training programs.

Imports only the standard library, because programs in other environments read them, too.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

LORA_MODULES = ("q_proj", "k_proj", "v_proj", "o_proj")
LORA_PATTERN = rf"(?:.*\.)?language_model\.(?:.*\.)?(?:{'|'.join(LORA_MODULES)})"
"""Modules of the language model that get an adapter, as a pattern for peft."""


@dataclass(frozen=True)
class Settings:
    """Settings of one benchmark."""

    folder: Path
    """Folder with rows, images and the initial adapter."""
    model: str
    """Folder of the base model."""
    num_rows: int
    """Training rows, a multiple of the batch size."""
    num_epochs: int
    batch_size: int
    learning_rate: float
    """Constant, without warm-up."""
    bf16: bool
    num_workers: int
    """Processes that decode images, in each training program."""
    gradient_checkpointing: bool
    """Whether activations of the language model are recomputed in the backward pass."""
    seed: int = 42
    lora_r: int = 16
    lora_alpha: int = 32
    max_sequence_length: int = 16384

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in one epoch."""
        return self.num_rows // self.batch_size

    @property
    def num_steps(self) -> int:
        """Optimizer steps of the whole training."""
        return self.steps_per_epoch * self.num_epochs

    @property
    def rows(self) -> Path:
        """The training rows."""
        return self.folder / "rows.jsonl"

    @property
    def validation_rows(self) -> Path:
        """Rows for the validation loss."""
        return self.folder / "validation.jsonl"

    @property
    def ordered_rows(self) -> Path:
        """The training rows of all epochs, in FinScribe's order."""
        return self.folder / "ordered.jsonl"

    @property
    def initial_adapter(self) -> Path:
        """The adapter with which every training program starts."""
        return self.folder / "adapter"

    def write(self, path: Path) -> None:
        """Write the settings for the programs."""
        path.write_text(json.dumps(asdict(self), default=str, indent=2) + "\n", encoding="utf-8")


def read_settings(path: Path) -> Settings:
    """Read what `Settings.write` wrote."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return Settings(**{**data, "folder": Path(data["folder"])})


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read rows: objects with `prompt`, `image` (its absolute path) and `completion`."""
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [{**row, "image": str(path.parent / row["image"])} for row in rows]
