"""Computes the loss of a run's adapter with plain transformers and peft, without the trainer."""

from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForImageTextToText

from finscribe_trainer.data.dataset import load_dataset
from finscribe_trainer.data.files import DataFile
from finscribe_trainer.model.batch import IGNORE_INDEX
from finscribe_trainer.model.families.registry import load_family
from finscribe_trainer.model.source import ModelSource

MAX_PIXELS = 50_000_000


@torch.no_grad()
def eval_loss_of_adapter(base: Path, adapter: Path, rows: Path) -> float:
    """Mean of the model's own cross-entropy over all answer tokens of the rows, one row at a time."""
    family = load_family(ModelSource(str(base), None, str(base)))
    model = AutoModelForImageTextToText.from_pretrained(base, dtype=torch.float32)
    model = PeftModel.from_pretrained(model, adapter).eval()
    total, count = 0.0, 0
    for example in load_dataset(DataFile(rows, str(rows)), MAX_PIXELS).examples:
        batch = family.model_inputs(family.collate([family.encode(example)]))
        answers = int((batch["labels"] != IGNORE_INDEX).sum())
        total += float(model(**batch).loss) * answers
        count += answers
    return total / count
