"""Merges an adapter into its base model, and verifies that the merged model computes the same logits.

The reference (base model with adapter) and the merged model are both computed in float32 on the CPU. The base
model is loaded from disk again, and after QLoRA its weights are rounded as in the training; the merged model
is loaded from the files that were written.
"""

import gc
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PreTrainedModel

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.model.adapter import load_trained_adapter
from finscribe_trainer.model.batch import Encoded
from finscribe_trainer.model.families.base import Family
from finscribe_trainer.model.generation_config import trained_generation_config
from finscribe_trainer.model.lora import refuse_tied_targets
from finscribe_trainer.model.quantization import round_as_in_training
from finscribe_trainer.model.source import ModelSource
from finscribe_trainer.runtime.files import follow_umask

log = logging.getLogger(__name__)

TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 3e-2, torch.float16: 5e-3}
"""Allowed relative error of the logits, |merged - reference| / |reference|, by the dtype the merged weights
are stored in: rounding a weight to bfloat16 (8 bits of mantissa) alone has a relative error of 2^-9."""
MAX_SHARD_SIZE = "5GB"


@dataclass(frozen=True)
class MergedFiles:
    """How a merged model is stored."""

    dtype: torch.dtype | None = None
    """The dtype of the weights; the base model's when None."""
    max_shard_size: str = MAX_SHARD_SIZE
    """Maximum size of a weights file, such as 5GB; larger models are split into several files."""


def export_merged(
    source: ModelSource,
    family: Family,
    adapter: Path,
    folder: Path,
    probes: Sequence[Example],
    files: MergedFiles = MergedFiles(),
) -> None:
    """Write a complete model with the adapter merged in, verified on `probes`.

    Args:
        source: the base model.
        family: the base model's family.
        adapter: folder of the adapter.
        folder: an empty or new folder; after an error its content is to be discarded.
        probes: rows whose logits are compared.
        files: dtype and file size of the stored weights.

    Raises:
        UserError: ModelUnsupported when the adapter does not fit the base model; InvalidConfig when it is on
            tied weights; MergeMismatch when the logits differ.
    """
    batches = [family.model_inputs(family.collate([family.encode(example)])) for example in probes]
    log.info("merging %s into %s", adapter, source.name)
    base = family.load_model(source, dtype="auto")
    dtype = files.dtype or base.dtype
    round_as_in_training(base.float(), family, adapter)
    adapted = load_trained_adapter(base, adapter, source).eval()
    refuse_tied_targets(adapted, "Use the adapter with its base model: it can't be merged.")
    reference = [_logits(adapted, batch) for batch in batches]
    merged: PreTrainedModel = adapted.merge_and_unload()
    torch.nn.Module.to(merged, dtype)
    merged.generation_config = trained_generation_config(merged, family)
    merged.save_pretrained(folder, max_shard_size=files.max_shard_size)
    follow_umask(folder)
    family.processing.save_pretrained(folder)
    del base, adapted, merged
    gc.collect()
    check_merge(family, folder, batches, reference, dtype)


def check_merge(
    family: Family, folder: Path, batches: list[Encoded], reference: list[torch.Tensor], dtype: torch.dtype
) -> None:
    """Compare the logits of the model in `folder` with the reference of each batch.

    Args:
        family: the model's family.
        folder: the merged model.
        batches: encoded rows.
        reference: their logits (answer tokens, vocabulary), by base model and adapter.
        dtype: dtype of the stored weights, which decides the tolerance.

    Raises:
        UserError: MergeMismatch when the relative error is above the tolerance.
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
        log.info("merged model verified: logits differ by %.2g (allowed: %.2g)", error, tolerance)


def choose_probes(examples: Sequence[Example], family: Family) -> list[Example]:
    """The first row with an image and the first without, of those that the family supports."""
    readable = [example for example in examples if family.reads_images or not example.images]
    first = {bool(example.images): example for example in reversed(readable)}
    return list(first.values())


@torch.no_grad()
def _logits(model: torch.nn.Module, batch: Encoded) -> torch.Tensor:
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    logits: torch.Tensor = model(**inputs, use_cache=False).logits
    return logits[batch["labels"] != -100]
