"""Computes the validation loss of an adapter, in the same way for all training programs.

`python -m benchmarks.trainer.evaluate SETTINGS ADAPTER RESULT`: mean cross-entropy over the answer tokens of
the validation rows, in float32, one row at a time, from all logits.
"""

import json
import sys
from pathlib import Path

import torch
from peft import PeftModel
from torch.nn import functional
from transformers import AutoModelForImageTextToText, AutoProcessor

from benchmarks.trainer.programs.plain import Collator
from benchmarks.trainer.settings import Settings, read_rows, read_settings


@torch.no_grad()
def evaluate(settings: Settings, adapter: Path) -> float:
    """The mean loss per answer token."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    base = AutoModelForImageTextToText.from_pretrained(settings.model, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, adapter).to(device).eval()
    collate = Collator(AutoProcessor.from_pretrained(settings.model))
    total, count = 0.0, 0
    for row in read_rows(settings.validation_rows):
        batch = {name: tensor.to(device) for name, tensor in collate([row]).items()}
        labels = batch.pop("labels")[0, 1:]
        logits = model(**batch, use_cache=False).logits[0, :-1]
        total += float(functional.cross_entropy(logits, labels, reduction="sum"))
        count += int((labels != -100).sum())
    return total / count


if __name__ == "__main__":
    loss = evaluate(read_settings(Path(sys.argv[1])), Path(sys.argv[2]))
    Path(sys.argv[3]).write_text(json.dumps({"eval_loss": loss}), encoding="utf-8")
