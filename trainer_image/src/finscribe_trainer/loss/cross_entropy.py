"""Cross-entropy in float32, in chunks: only a part of the logits is float32 at a time."""

from collections.abc import Iterable
from typing import Any

import torch
from torch.nn import functional

CHUNK_LOGITS = {"cpu": 2**20, "other": 2**24}
"""Logits per chunk, by device: 4 MiB of float32 fit into a CPU's cache; a GPU needs larger chunks."""


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor, label_smoothing: float = 0.0) -> torch.Tensor:
    """The cross-entropy of each token.

    With p the probability of the target token, V the vocabulary size and e the label smoothing it is
    -(1 - e) log p - e / V sum_j log p_j (Szegedy et al. 2016, "Rethinking the Inception Architecture",
    section 7).

    Args:
        logits: (tokens, V), in any floating-point dtype; overwritten with their gradient by the backward
            pass.
        targets: (tokens,), the ids of the target tokens.
        label_smoothing: e, from 0 to 1.

    Returns:
        (tokens,), in float32, or in the logits' dtype if that is wider.
    """
    losses: torch.Tensor = _CrossEntropy.apply(logits, targets, label_smoothing)
    return losses


class _CrossEntropy(torch.autograd.Function):
    """Chunked forward and backward pass.

    The gradient is computed in closed form: p_j - (1 - e) [j is the target] - e / V. It overwrites the
    logits, which are no longer needed, and is scaled in float32 before it is rounded to their dtype, so that
    small values do not underflow in float16.
    """

    @staticmethod
    def forward(
        ctx: Any, logits: torch.Tensor, targets: torch.Tensor, label_smoothing: float
    ) -> torch.Tensor:
        ctx.save_for_backward(logits, targets)
        ctx.label_smoothing = label_smoothing
        # Allocated before the chunks: small tensors between theirs would fragment the memory.
        losses = torch.empty(targets.shape, dtype=_loss_dtype(logits), device=logits.device)
        for chunk, target, loss in _chunks(logits, targets, losses):
            loss.copy_(
                functional.cross_entropy(
                    chunk.to(losses.dtype), target, reduction="none", label_smoothing=label_smoothing
                )
            )
        return losses

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        logits, targets = ctx.saved_tensors
        for chunk, target, scale in _chunks(logits, targets, grad_outputs[0]):
            gradient = chunk.softmax(-1, dtype=_loss_dtype(logits))
            if ctx.label_smoothing:
                gradient -= ctx.label_smoothing / logits.shape[-1]
            gradient[torch.arange(len(target), device=target.device), target] -= 1 - ctx.label_smoothing
            chunk.copy_(gradient.mul_(scale[:, None]))
        return logits, None, None


def _chunks(first: torch.Tensor, *others: torch.Tensor) -> Iterable[tuple[torch.Tensor, ...]]:
    logits = CHUNK_LOGITS["cpu" if first.device.type == "cpu" else "other"]
    size = max(1, logits // first.shape[-1])
    return zip(*(tensor.split(size) for tensor in (first, *others)), strict=True)


def _loss_dtype(logits: torch.Tensor) -> torch.dtype:
    return torch.promote_types(logits.dtype, torch.float32)
