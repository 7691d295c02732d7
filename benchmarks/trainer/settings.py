"""What all sides are given: the same model, rows and hyperparameters.

Read by programs in other environments, so nothing but the standard library is imported here.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

LORA_MODULES = ("q_proj", "k_proj", "v_proj", "o_proj")
LORA_PATTERN = rf"(?:.*\.)?language_model\.(?:.*\.)?(?:{'|'.join(LORA_MODULES)})"
"""Modules of the language model that get an adapter, as peft takes it."""


@dataclass(frozen=True)
class Settings:
    """One benchmark."""

    folder: Path
    """Where rows, images and the first adapter are."""
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
    """Processes that decode images, of each side."""
    gradient_checkpointing: bool
    """Whether activations of the language model are computed again in the backward pass."""
    seed: int = 42
    lora_r: int = 16
    lora_alpha: int = 32
    max_sequence_length: int = 16384

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in which every row is seen once."""
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
        """The training rows, epoch after epoch, in the order that FinScribe takes them."""
        return self.folder / "ordered.jsonl"

    @property
    def initial_adapter(self) -> Path:
        """The adapter that every side starts with."""
        return self.folder / "adapter"

    def write(self, path: Path) -> None:
        """Write them for the programs."""
        path.write_text(json.dumps(asdict(self), default=str, indent=2) + "\n", encoding="utf-8")


def read_settings(path: Path) -> Settings:
    """What `Settings.write` wrote."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return Settings(**{**data, "folder": Path(data["folder"])})


def read_rows(path: Path) -> list[dict[str, str]]:
    """Objects with `prompt`, `image` (its whole path) and `completion`."""
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [{**row, "image": str(path.parent / row["image"])} for row in rows]
