"""Checks that a complete checkpoint can be resumed from: its files can be read, and fit model and config."""

from pathlib import Path
from typing import Any

import torch
from transformers.trainer_pt_utils import safe_globals

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.model.adapter_fit import Shapes, adapter_shapes, shape_problem, stored_shapes
from finscribe_trainer.model.source import ModelSource
from finscribe_trainer.training.checkpoints import ADAPTER_FILE, BEST_FILE, Checkpoint
from finscribe_trainer.training.resume import check_adapter_settings


def check_fit(checkpoint: Checkpoint, config: TrainerConfig, source: ModelSource) -> None:
    """Check a checkpoint before the model is loaded, which takes minutes.

    Args:
        checkpoint: a complete one; see `read_checkpoint`.
        config: the run's config.
        source: the base model, of which only the config is read.

    Raises:
        UserError: InvalidConfig when it was trained with other settings, when a file holds pickled objects
            or is damaged, or when its weights do not have the shapes of the adapter.
    """
    check_adapter_settings(checkpoint, config)
    expected = adapter_shapes(config, source)
    problem = _first_problem(checkpoint.folder, expected)
    if problem:
        raise UserError(
            FailureReason.InvalidConfig,
            f"{checkpoint.folder} can't be resumed from: {problem}.",
            "Name another folder checkpoint-<step> with --resume, or omit --resume to start a new training.",
        )


def _first_problem(folder: Path, expected: Shapes) -> str | None:
    for name in (ADAPTER_FILE, BEST_FILE):
        if (folder / name).is_file() and (problem := shape_problem(stored_shapes(folder / name), expected)):
            return f"{name}: {problem}"
    loaded = {}
    for path in sorted([folder / "optimizer.pt", folder / "scheduler.pt", *folder.glob("rng_state*.pth")]):
        try:
            with safe_globals():  # NumPy's, for the random state, as Hugging Face's Trainer does
                loaded[path.name] = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many kinds for damaged content
            return f"{path.name} is damaged or holds pickled objects ({type(error).__name__})"
    return _optimizer_problem(loaded["optimizer.pt"], expected)


def _optimizer_problem(optimizer: Any, expected: Shapes) -> str | None:
    """Whether the optimizer's state is of other weights: it names them by number only, in any order."""
    try:
        states = optimizer["state"].values()
        count = sum(len(group["params"]) for group in optimizer["param_groups"])
        shapes = [tuple(state["exp_avg"].shape) for state in states if "exp_avg" in state]
    except (AttributeError, KeyError, TypeError):
        return "optimizer.pt is not the state of an optimizer"
    if count != len(expected) or (shapes and sorted(shapes) != sorted(expected.values())):
        return "optimizer.pt is of weights of other shapes"
    return None
