"""The state of a pretraining, from which it goes on exactly where it was."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from finscribe_core.atomic_files import atomic_path
from tools.tiny_model.losses import Losses
from tools.tiny_model.optimizers import Optimizers

FILE = "checkpoint.pt"


@dataclass
class Progress:
    """What has been trained, and how it went.

    Attributes:
        seed: Of weights and pages.
        stage: Index of the stage.
        step: Steps of this stage.
        total: Steps of all stages.
        pages: Pages of all steps.
        seconds: Time of all steps, without measurements.
        threads: Threads of PyTorch in the first run; another number changes the last bits of the weights.
        recent: Sums of the parts of the loss since the last row of `curve`, and their number ("steps").
        curve: Rows of curve.csv.
        errors: Rows of errors.csv.
    """

    seed: int
    stage: int = 0
    step: int = 0
    total: int = 0
    pages: int = 0
    seconds: float = 0.0
    threads: int = 0
    recent: dict[str, float] = field(default_factory=dict)
    curve: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)


def save(folder: Path, losses: Losses, optimizers: Optimizers, progress: Progress) -> None:
    """Write the checkpoint, or leave the previous one as it is."""
    state = {
        "weights": losses.state_dict(),
        "optimizers": [part.state_dict() for part in optimizers.parts],
        "progress": asdict(progress),
    }
    with atomic_path(folder / FILE) as path:
        torch.save(state, path)


def load(folder: Path, losses: Losses, optimizers: Optimizers, device: torch.device) -> Progress | None:
    """Restore weights and optimizers from the checkpoint; None if there is none."""
    if not (folder / FILE).is_file():
        return None
    state = torch.load(folder / FILE, map_location=device, weights_only=True)
    losses.load_state_dict(state["weights"])
    for part, saved in zip(optimizers.parts, state["optimizers"], strict=True):
        part.load_state_dict(saved)
    return Progress(**state["progress"])
