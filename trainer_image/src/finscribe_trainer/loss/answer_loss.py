"""Computes the loss of a batch on its answer tokens."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch.nn import functional

from finscribe_core.trainer_config import LossSpec
from finscribe_trainer.loss.token_losses import summed_loss
from finscribe_trainer.model.batch import IGNORE_INDEX, LOSS_WEIGHTS, Encoded


def answer_loss(
    model: Any,
    inputs: Encoded,
    spec: LossSpec | None = None,
    precision: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The weighted sum of the answer tokens' losses, and the sum of their weights; both scalars.

    The LM head is applied only at positions that predict an answer token: with 1,300 image tokens and a
    vocabulary of 103,424 the full logits would take most of the memory.

    Args:
        model: a causal language model; one that ignores `logits_to_keep` may return the logits of all tokens.
        inputs: a batch with labels (rows, tokens), IGNORE_INDEX outside the answer.
        spec: the loss; when None plain cross-entropy with a weight of 1 for every token.
        precision: context for the forward pass, such as autocast; the loss itself is always float32.
    """
    targets = functional.pad(inputs["labels"][:, 1:], (0, 1), value=IGNORE_INDEX)
    keep = targets != IGNORE_INDEX
    rest = {name: value for name, value in inputs.items() if name not in ("labels", LOSS_WEIGHTS)}
    weighted = spec is not None and LOSS_WEIGHTS in inputs
    # Indexing by a mask synchronizes with the GPU: done before the forward pass is queued.
    weights = inputs[LOSS_WEIGHTS][:, 1:][keep[:, :-1]] if weighted else None
    target_ids = targets[keep]
    positions = keep[0].nonzero()[:, 0] if len(keep) == 1 else None
    with precision():
        logits = model(
            **rest, logits_to_keep=keep if positions is None else positions, use_cache=False
        ).logits
    if logits.shape[:-1] == keep.shape:
        logits = logits[keep]
    logits = logits.reshape(-1, logits.shape[-1])
    return summed_loss(logits, target_ids, weights, spec), total_weight(inputs, spec)


def total_weight(inputs: Encoded, spec: LossSpec | None = None) -> torch.Tensor:
    """The sum of the answer tokens' weights, as `answer_loss` returns it, computed without the model."""
    keep: torch.Tensor = inputs["labels"][:, 1:] != IGNORE_INDEX
    if spec is None or LOSS_WEIGHTS not in inputs:
        return keep.sum()
    weights: torch.Tensor = inputs[LOSS_WEIGHTS][:, 1:][keep]
    return weights.sum()
