"""Writes a complete checkpoint without a training."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file


def write_checkpoint(folder: Path, state: dict[str, Any]) -> Path:
    """Write a folder with every file of a checkpoint.

    Args:
        folder: the folder to create.
        state: the content of trainer_state.json.
    """
    folder.mkdir(parents=True)
    for name in ("adapter_model.safetensors", "best_adapter.safetensors"):
        save_file({"weight": torch.ones(4)}, folder / name)
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        torch.save({}, folder / name)
    (folder / "trainer_state.json").write_text(json.dumps(state))
    return folder
