"""The lines of a training's losses, from the content of its metrics.json."""

from collections.abc import Mapping
from typing import Any

from finscribe_core.look.line_chart import Line


def loss_lines(metrics: Mapping[str, Any]) -> list[Line]:
    """Training and validation loss by step, and the base model's validation loss as a dashed line.

    Args:
        metrics: `train_history` and `eval_history` with `step` and `loss` or `eval_loss`; `best_step`, the
            evaluation whose adapter is exported, and `base_eval_loss` where they are known.
    """
    trained = history_points(metrics.get("train_history"), "loss")
    evaluated = history_points(metrics.get("eval_history"), "eval_loss")
    lines = [
        Line("training loss", "train", trained),
        Line("validation loss", "validation", evaluated, metrics.get("best_step")),
    ]
    base = metrics.get("base_eval_loss")
    steps = [step for step, _ in (*trained, *evaluated)]
    if isinstance(base, int | float) and steps:
        lines.append(Line("base model", "base", [(min(steps), base), (max(steps), base)], dashed=True))
    return lines


def history_points(history: Any, name: str) -> list[tuple[float, float]]:
    """(step, value) of a metric, in the order of the steps; entries that lack it are left out.

    >>> history_points([{"step": 2, "loss": 1.5}, {"step": 1, "loss": 2}, {"step": 3}, "x"], "loss")
    [(1.0, 2.0), (2.0, 1.5)]
    """
    entries = history if isinstance(history, list) else []
    return sorted(
        (float(entry["step"]), float(entry[name]))
        for entry in entries
        if isinstance(entry, Mapping) and _is_number(entry.get("step")) and _is_number(entry.get(name))
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
