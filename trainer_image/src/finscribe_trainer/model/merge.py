"""Merges the adapter into the base model, and lets no merge pass that computes something else.

Both sides are computed in float32 on the CPU, the base read anew from disk: so a quantised base never gets
into a merged model, and what is compared is the file that will be used. The files get to their place once the
comparison has passed, never before.
"""

import gc
import logging
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PreTrainedModel

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.model.adapter import with_adapter
from finscribe_trainer.model.batch import Encoded
from finscribe_trainer.model.families.base import Family
from finscribe_trainer.model.source import ModelSource
from finscribe_trainer.runtime.files import follow_umask

log = logging.getLogger(__name__)

TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 3e-2, torch.float16: 5e-3}
"""Allowed relative error of the logits, |merged - reference| / |reference|, by the dtype the merged weights
are stored in: rounding to bfloat16 alone (8 bits of mantissa) costs 2^-9 a weight."""
MAX_SHARD_SIZE = "5GB"
UNCHECKED = ".unchecked-"
"""How the folder's name begins in which a merged model waits for its comparison; a kill leaves it behind."""


@dataclass(frozen=True)
class MergedFiles:
    """How a merged model is stored."""

    dtype: torch.dtype | None = None
    """Of the weights; the base's own when None."""
    max_shard_size: str = MAX_SHARD_SIZE
    """A file of weights holds no more, such as 5GB; larger models are several files and an index."""


def export_merged(
    source: ModelSource,
    family: Family,
    adapter: Path,
    folder: Path,
    probes: Sequence[Example],
    files: MergedFiles = MergedFiles(),
) -> None:
    """Write a complete model with the adapter merged in, checked on `probes`.

    Args:
        source: the base model.
        family: its family.
        adapter: folder of the adapter.
        folder: where to write; what is there is replaced.
        probes: rows whose logits are compared.
        files: how it is stored.

    Raises:
        UserError: ModelUnsupported when the adapter is not of this base; MergeMismatch.
    """
    batches = [family.model_inputs(family.collate([family.encode(example)])) for example in probes]
    log.info("merging %s into %s", adapter, source.name)
    base = family.load_model(source, dtype="auto")
    dtype = files.dtype or base.dtype
    adapted = with_adapter(base.float(), adapter, source).eval()
    reference = [_logits(adapted, batch) for batch in batches]
    merged: PreTrainedModel = adapted.merge_and_unload()
    torch.nn.Module.to(merged, dtype)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=UNCHECKED) as name:
        unchecked = Path(name)
        merged.save_pretrained(unchecked, max_shard_size=files.max_shard_size)
        follow_umask(unchecked)
        family.processing.save_pretrained(unchecked)
        del base, adapted, merged
        gc.collect()
        check_merge(family, unchecked, batches, reference, dtype)
        for path in unchecked.iterdir():
            path.replace(folder / path.name)


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


def choose_probes(examples: Sequence[Example], family: Family) -> list[Example]:
    """One row with an image and one without, where there are such that the family reads."""
    readable = [example for example in examples if family.reads_images or not example.images]
    first = {bool(example.images): example for example in reversed(readable)}
    return list(first.values())


@torch.no_grad()
def _logits(model: torch.nn.Module, batch: Encoded) -> torch.Tensor:
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    logits: torch.Tensor = model(**inputs, use_cache=False).logits
    return logits[batch["labels"] != -100]
