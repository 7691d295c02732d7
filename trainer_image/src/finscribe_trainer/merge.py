"""Merges the adapter into the base model, and lets no merge pass that computes something else.

Both sides are computed in float32 on the CPU, the base read anew from disk: so a quantised base never gets
into a merged model, and what is compared is the file that will be used.
"""

import gc
import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.families.base import Encoded, Family
from finscribe_trainer.families.source import ModelSource

log = logging.getLogger(__name__)

TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 3e-2, torch.float16: 5e-3}
"""Allowed relative error of the logits, |merged - reference| / |reference|, by the dtype the merged weights
are stored in: rounding to bfloat16 alone (8 bits of mantissa) costs 2^-9 a weight."""


def export_merged(
    source: ModelSource, family: Family, adapter: Path, folder: Path, probes: Sequence[Example]
) -> None:
    """Write a complete model with the adapter merged in, checked on `probes`.

    Args:
        source: the base model.
        family: its family.
        adapter: folder of the adapter.
        folder: where to write.
        probes: rows whose logits are compared.

    Raises:
        UserError: MergeMismatch.
    """
    batches = [family.collate([family.encode(example)]) for example in probes]
    base = family.load_model(source, dtype="auto")
    stored_dtype = base.dtype
    adapted = PeftModel.from_pretrained(base.float(), str(adapter)).eval()
    reference = [_logits(adapted, batch) for batch in batches]
    merged: PreTrainedModel = adapted.merge_and_unload()
    torch.nn.Module.to(merged, stored_dtype)
    merged.save_pretrained(folder, safe_serialization=True)
    family.processing.save_pretrained(folder)
    del base, adapted, merged
    gc.collect()
    check_merge(family, folder, batches, reference, stored_dtype)


def check_merge(
    family: Family, folder: Path, batches: list[Encoded], reference: list[torch.Tensor], dtype: torch.dtype
) -> None:
    """Compare the model in `folder` with reference logits (answer tokens, vocabulary) of each batch.

    Raises:
        UserError: MergeMismatch.
    """
    model = family.load_model(ModelSource(str(folder)), dtype=torch.float32).eval()
    for batch, expected in zip(batches, reference, strict=True):
        error = float((_logits(model, batch) - expected).norm() / expected.norm())
        tolerance = TOLERANCE.get(dtype, TOLERANCE[torch.bfloat16])
        if not error <= tolerance:
            raise UserError(
                FailureReason.MergeMismatch,
                f"The merged model's logits differ from base plus adapter by {error:.2g} "
                f"(allowed: {tolerance:.2g}).",
                "Use the adapter with the base model, and report this: the adapter itself is not affected.",
            )
        log.info("merged model checked: logits differ by %.2g (allowed: %.2g)", error, tolerance)


@torch.no_grad()
def _logits(model: torch.nn.Module, batch: Encoded) -> torch.Tensor:
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    logits: torch.Tensor = model(**inputs, use_cache=False).logits
    return logits[batch["labels"] != -100]
