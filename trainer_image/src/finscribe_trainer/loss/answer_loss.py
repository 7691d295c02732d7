"""The loss of a batch, over its answer tokens only."""

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
    """The answer tokens' losses times their weights, summed; and the sum of their weights.

    The head sees only positions whose next token counts: of a page with 1,300 image tokens and a vocabulary
    of 103,424 the full logits would be most of the memory.

    Args:
        model: takes `logits_to_keep` as a boolean mask (rows, tokens); a model that ignores it is asked for
            all logits.
        inputs: a batch with labels (rows, tokens), IGNORE_INDEX where nothing is learned.
        spec: which loss; when None the plain cross-entropy, every token weighing 1.
        precision: the model computes within it, the loss does not: that is float32 whatever the model is in.
    """
    targets = functional.pad(inputs["labels"][:, 1:], (0, 1), value=IGNORE_INDEX)
    keep = targets != IGNORE_INDEX
    rest = {name: value for name, value in inputs.items() if name not in ("labels", LOSS_WEIGHTS)}
    weighted = spec is not None and LOSS_WEIGHTS in inputs
    # All that waits for the GPU comes before the model has given it its work.
    weights = inputs[LOSS_WEIGHTS][:, 1:][keep[:, :-1]] if weighted else None
    wanted = targets[keep]
    positions = keep[0].nonzero()[:, 0] if len(keep) == 1 else None
    with precision():
        logits = model(
            **rest, logits_to_keep=keep if positions is None else positions, use_cache=False
        ).logits
    if logits.shape[:-1] == keep.shape:
        logits = logits[keep]
    logits = logits.reshape(-1, logits.shape[-1])
    return summed_loss(logits, wanted, weights, spec), count_weight(inputs, spec)


def count_weight(inputs: Encoded, spec: LossSpec | None = None) -> torch.Tensor:
    """What `answer_loss` gives as the sum of the answer tokens' weights, found without the model."""
    keep: torch.Tensor = inputs["labels"][:, 1:] != IGNORE_INDEX
    if spec is None or LOSS_WEIGHTS not in inputs:
        return keep.sum()
    weights: torch.Tensor = inputs[LOSS_WEIGHTS][:, 1:][keep]
    return weights.sum()
