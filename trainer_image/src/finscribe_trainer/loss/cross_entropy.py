"""Cross-entropy in float32, without the logits ever being float32 as a whole."""

from collections.abc import Iterable
from typing import Any

import torch
from torch.nn import functional

CHUNK_LOGITS = {"cpu": 2**20, "other": 2**24}
"""Logits that are float32 at once, by device: 4 MiB stay in a CPU's cache; a GPU is given larger ones."""


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor, label_smoothing: float = 0.0) -> torch.Tensor:
    """The cross-entropy of each token.

    With p the probability of the right token, V the size of the vocabulary and e the smoothing it is
    -(1 - e) log p - e / V sum_j log p_j (Szegedy et al. 2016, "Rethinking the Inception Architecture",
    section 7).

    Args:
        logits: (tokens, V), in any floating-point type; used up by the backward pass, which puts their
            gradient in their place.
        targets: (tokens,), the right tokens' ids.
        label_smoothing: e, from 0 to 1.

    Returns:
        (tokens,), in float32, or in the logits' type where that is wider.
    """
    losses: torch.Tensor = _CrossEntropy.apply(logits, targets, label_smoothing)
    return losses


class _CrossEntropy(torch.autograd.Function):
    """Chunk by chunk in both directions.

    The gradient is written down instead of being derived: p_j - (1 - e) [j is right] - e / V. It takes the
    logits' place, for nobody needs them any more; and it is scaled before it is rounded to their type, so
    that in float16 small ones are not lost.
    """

    @staticmethod
    def forward(
        ctx: Any, logits: torch.Tensor, targets: torch.Tensor, label_smoothing: float
    ) -> torch.Tensor:
        ctx.save_for_backward(logits, targets)
        ctx.label_smoothing = label_smoothing
        # Made before the chunks: small tensors between them would keep their memory from being used again.
        losses = torch.empty(targets.shape, dtype=_exact_type(logits), device=logits.device)
        for part, wanted, found in _chunks(logits, targets, losses):
            exact = part.to(losses.dtype)
            found.copy_(
                functional.cross_entropy(exact, wanted, reduction="none", label_smoothing=label_smoothing)
            )
        return losses

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        logits, targets = ctx.saved_tensors
        for part, wanted, scale in _chunks(logits, targets, grad_outputs[0]):
            gradient = part.softmax(-1, dtype=_exact_type(logits))
            if ctx.label_smoothing:
                gradient -= ctx.label_smoothing / logits.shape[-1]
            gradient[torch.arange(len(wanted), device=wanted.device), wanted] -= 1 - ctx.label_smoothing
            part.copy_(gradient.mul_(scale[:, None]))
        return logits, None, None


def _chunks(first: torch.Tensor, *others: torch.Tensor) -> Iterable[tuple[torch.Tensor, ...]]:
    logits = CHUNK_LOGITS["cpu" if first.device.type == "cpu" else "other"]
    size = max(1, logits // first.shape[-1])
    return zip(*(tensor.split(size) for tensor in (first, *others)), strict=True)


def _exact_type(logits: torch.Tensor) -> torch.dtype:
    return torch.promote_types(logits.dtype, torch.float32)
