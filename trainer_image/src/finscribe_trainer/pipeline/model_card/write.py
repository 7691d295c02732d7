"""Writes the model cards of a run's adapter and merged model."""

from pathlib import Path
from typing import Any

from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.pipeline.model_card.adapter import CARD_FILE, adapter_card
from finscribe_trainer.pipeline.model_card.merged import write_merged_card
from finscribe_trainer.pipeline.model_card.usage import Usage
from finscribe_trainer.runtime.output_layout import ADAPTER_DIR, EVALUATION_DIR, MERGED_DIR


def write_cards(output_dir: Path, config: TrainerConfig, metrics: dict[str, Any], usage: Usage) -> None:
    """Write README.md beside the adapter, and beside the merged model if there is one.

    Args:
        output_dir: the run's output folder.
        config: the run's config.
        metrics: the content of metrics.json, including the evaluation.
        usage: how the adapter is used.
    """
    name = metrics["run"] or output_dir.resolve().name
    card = adapter_card(name, config, metrics, usage, output_dir / EVALUATION_DIR)
    (output_dir / ADAPTER_DIR / CARD_FILE).write_text(card, encoding="utf-8")
    if (output_dir / MERGED_DIR).is_dir():
        write_merged_card(output_dir / MERGED_DIR, output_dir / ADAPTER_DIR, usage)
