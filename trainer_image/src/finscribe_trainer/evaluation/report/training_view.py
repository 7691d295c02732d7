"""What a report shows of the training: the curves of its losses, and its settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from finscribe_core.look.line_chart import line_chart
from finscribe_core.look.loss_lines import loss_lines
from finscribe_core.settings import flat_settings
from finscribe_core.trainer_config import TrainerConfig


@dataclass(frozen=True)
class TrainingView:
    """A training, for a report on its result."""

    chart: Markup
    """SVG of the losses."""
    facts: list[tuple[str, str]]
    chosen: dict[str, str]
    """Settings that are not their defaults, by dotted path."""
    settings: dict[str, str]
    """All settings."""
    notes: list[str]
    """Sentences about the training, for the top of the report."""


def view_training(
    config: TrainerConfig, metrics: Mapping[str, Any], notes: Sequence[str] = ()
) -> TrainingView:
    """The view of a training.

    Args:
        config: its settings.
        metrics: the content of metrics.json.
        notes: sentences about it.
    """
    chart = line_chart(loss_lines(metrics), "step", "loss")
    return TrainingView(
        Markup(chart),  # noqa: S704 - line_chart escapes its texts
        list(_facts(metrics).items()),
        flat_settings(config.model_dump(mode="json", exclude_none=True, exclude_defaults=True)),
        flat_settings(config.model_dump(mode="json", exclude_none=True)),
        list(notes),
    )


def _facts(metrics: Mapping[str, Any]) -> dict[str, str]:
    dataset = metrics.get("dataset") or {}
    known = {
        "Steps": metrics.get("steps"),
        "Epochs": metrics.get("epoch"),
        "Training rows": dataset.get("train_rows"),
        "Validation rows": dataset.get("validation_rows"),
        "Exported step": metrics.get("best_step"),
        "Lowest validation loss": metrics.get("best_eval_loss"),
        "Validation loss of the base model": metrics.get("base_eval_loss"),
    }
    return {
        name: f"{value:.5g}" if isinstance(value, float) else str(value)
        for name, value in known.items()
        if value is not None
    }
