"""Writes the model cards of a run's adapter and merged model."""

from pathlib import Path
from typing import Any

from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.pipeline.model_card.adapter import CARD_FILE, adapter_card
from finscribe_trainer.pipeline.model_card.merged import write_merged_card
from finscribe_trainer.pipeline.model_card.usage import Usage
from finscribe_trainer.runtime.output_layout import ADAPTER_DIR, EVALUATION_DIR, MERGED_DIR


def write_cards(
    folder: Path, name: str, config: TrainerConfig, metrics: dict[str, Any], usage: Usage
) -> None:
    """Write README.md beside the adapter, and beside the merged model if there is one.

    Args:
        folder: the folder of the results.
        name: the title of the cards.
        config: the run's config.
        metrics: the content of metrics.json, including the evaluation.
        usage: how the adapter is used.
    """
    card = adapter_card(name, config, metrics, usage, folder / EVALUATION_DIR)
    (folder / ADAPTER_DIR / CARD_FILE).write_text(card, encoding="utf-8")
    if (folder / MERGED_DIR).is_dir():
        write_merged_card(folder / MERGED_DIR, folder / ADAPTER_DIR, usage)
