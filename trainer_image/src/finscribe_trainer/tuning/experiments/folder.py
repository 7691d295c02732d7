"""Reads outcome, checkpoints and evaluations of a training from its folder, also while it runs."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from finscribe_core.errors import UserError
from finscribe_core.report import RunResult
from finscribe_core.trainer_config import SelectionMetric
from finscribe_trainer.runtime.output_layout import METRICS_FILE
from finscribe_trainer.training.checkpoints import Checkpoint, read_checkpoint

OUTCOME_FILE = "outcome.json"
T = TypeVar("T")


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of a training."""

    step: int
    loss: float
    """On the validation rows."""
    metric: float | None
    """The metric by which the best checkpoint is chosen, which may be the loss."""


def read_outcome(folder: Path) -> RunResult | None:
    """A training's result; None when it has not ended, or was killed together with its parent process."""
    try:
        return RunResult.from_termination_message((folder / OUTCOME_FILE).read_text(encoding="utf-8"))
    except OSError:
        return None


def complete_checkpoints(folder: Path) -> list[Checkpoint]:
    """Its complete checkpoints, the oldest first."""
    found = []
    for path in folder.glob("checkpoint-*"):
        try:
            found.append(read_checkpoint(path))
        except UserError:
            continue
    return sorted(found, key=lambda checkpoint: checkpoint.step)


def read_evaluations(folder: Path, metric: SelectionMetric) -> tuple[Evaluation, ...]:
    """The evaluations of a training: all if it has ended, else those up to its newest checkpoint."""
    try:
        history = json.loads((folder / METRICS_FILE).read_text(encoding="utf-8"))["eval_history"]
    except OSError:
        checkpoints = complete_checkpoints(folder)
        history = checkpoints[-1].state["log_history"] if checkpoints else []
    return tuple(
        Evaluation(int(entry["step"]), float(entry["eval_loss"]), entry.get(metric))
        for entry in history
        if "eval_loss" in entry
    )


def best_by(metric: SelectionMetric, items: Iterable[T], value: Callable[[T], float | None]) -> T | None:
    """The first item with the best value; None when no item has one."""
    sign = 1 if metric.greater_is_better else -1
    known = [(found, item) for item in items if (found := value(item)) is not None]
    return max(known, key=lambda pair: sign * pair[0], default=(None, None))[1]


def best_evaluation(metric: SelectionMetric, evaluations: Iterable[Evaluation]) -> Evaluation | None:
    """The evaluation whose adapter is exported."""
    return best_by(metric, evaluations, lambda evaluation: evaluation.metric)
