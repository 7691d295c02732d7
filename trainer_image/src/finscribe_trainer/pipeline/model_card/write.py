"""Writes the model cards of a run's adapter and merged model."""

from pathlib import Path
from typing import Any

from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.pipeline.model_card.adapter import CARD_FILE, LEARNING_RATE_PLOT, adapter_card
from finscribe_trainer.pipeline.model_card.merged import write_merged_card
from finscribe_trainer.pipeline.model_card.usage import Usage
from finscribe_trainer.runtime.output_layout import ADAPTER_DIR, EVALUATION_DIR, MERGED_DIR
from finscribe_trainer.training.range_test.curve import Curve
from finscribe_trainer.training.range_test.plot import draw


def write_cards(
    folder: Path, name: str, config: TrainerConfig, metrics: dict[str, Any], usage: Usage
) -> None:
    """Write README.md beside the adapter, and beside the merged model if there is one.

    The adapter's card shows the curve by which its learning rate was chosen, if it was.

    Args:
        folder: the folder of the results.
        name: the title of the cards.
        config: the run's config.
        metrics: the content of metrics.json, including the evaluation.
        usage: how the adapter is used.
    """
    card = adapter_card(name, config, metrics, usage, folder / EVALUATION_DIR)
    (folder / ADAPTER_DIR / CARD_FILE).write_text(card, encoding="utf-8")
    if metrics.get("range_test"):
        plot = draw(Curve(**metrics["range_test"]), "png")
        (folder / ADAPTER_DIR / LEARNING_RATE_PLOT).write_bytes(plot)
    if (folder / MERGED_DIR).is_dir():
        write_merged_card(folder / MERGED_DIR, folder / ADAPTER_DIR, usage)
