"""Reads the losses of a running training from its TensorBoard files, if that package is installed."""

from pathlib import Path
from typing import Any

_NAMES = {"train_loss": ("train_history", "loss"), "eval_loss": ("eval_history", "eval_loss")}


def read_curves(folder: Path) -> dict[str, list[dict[str, float]]]:
    """The losses by step, as metrics.json has them; empty without such files or without the package."""
    files = sorted(folder.glob("events.out.tfevents.*"))
    if not files:
        return {}
    try:
        from tensorboard.backend.event_processing.event_file_loader import (  # noqa: PLC0415 - optional
            EventFileLoader,
        )
    except ModuleNotFoundError:
        return {}
    values: dict[str, dict[int, float]] = {name: {} for name in _NAMES}
    for file in files:
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                if value.tag in _NAMES:
                    values[value.tag][event.step] = _scalar(value)
    found = {}
    for tag, (history, name) in _NAMES.items():
        found[history] = [{"step": step, name: value} for step, value in sorted(values[tag].items())]
    return found if any(found.values()) else {}


def _scalar(value: Any) -> float:
    """A tensor of one number, which the loader makes of every scalar."""
    return float(value.tensor.float_val[0]) if value.tensor.float_val else float(value.simple_value)
