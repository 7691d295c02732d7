"""Summed losses in float32, without the logits ever being float32 as a whole."""

from collections.abc import Iterable
from typing import Any

import torch

from finscribe_core.trainer_config import LossSpec
from finscribe_trainer.loss.token_losses import token_losses

CHUNK_LOGITS = 2**24
"""Logits that are float32 at once: 64 MiB, 162 tokens of PaddleOCR-VL's vocabulary of 103,424."""


def summed_loss(
    logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None, spec: LossSpec | None
) -> torch.Tensor:
    """The sum of the tokens' losses times their weights, as a scalar.

    Args:
        logits: (tokens, vocabulary), in any floating-point type; used up by the backward pass, which puts
            their gradient in their place.
        targets: (tokens,).
        weights: (tokens,); 1 each when None.
        spec: see `token_losses`.
    """
    if weights is None:
        weights = torch.ones(len(targets), device=logits.device)
    loss: torch.Tensor = _SummedLoss.apply(logits, targets, weights, spec)
    return loss


class _SummedLoss(torch.autograd.Function):
    """Chunk by chunk in both directions: the backward pass computes a chunk's loss again.

    Left to autograd, 2,400 answer tokens (0.5 GiB of bfloat16 logits) take 2.8 GiB more, as float32 logits,
    log-probabilities and their gradient; so they take 0.3 GiB, for a gradient takes its logits' place: nobody
    needs them any more. It is scaled before it is rounded to their type, so that in float16 small ones are
    not lost.
    """

    @staticmethod
    def forward(
        ctx: Any, logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor, spec: LossSpec | None
    ) -> torch.Tensor:
        ctx.save_for_backward(logits, targets, weights)
        ctx.spec = spec
        sums = [
            _weighted_sum(_exact(part), wanted, weighing, spec)
            for part, wanted, weighing in _chunks(logits, targets, weights)
        ]
        return torch.stack(sums).sum()

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        logits, targets, weights = ctx.saved_tensors
        for part, wanted, weighing in _chunks(logits, targets, weights):
            with torch.enable_grad():
                exact = _exact(part.detach()).requires_grad_()
                total = _weighted_sum(exact, wanted, weighing, ctx.spec)
            part.copy_(torch.autograd.grad(total, exact, grad_outputs[0])[0])
        return logits, None, None, None


def _chunks(first: torch.Tensor, *others: torch.Tensor) -> Iterable[tuple[torch.Tensor, ...]]:
    size = max(1, CHUNK_LOGITS // first.shape[-1])
    return zip(*(tensor.split(size) for tensor in (first, *others)), strict=True)


def _exact(logits: torch.Tensor) -> torch.Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _weighted_sum(
    logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor, spec: LossSpec | None
) -> torch.Tensor:
    losses = token_losses(logits, targets, spec)
    return (losses * weights.to(losses.dtype)).sum()  # `@` is one of those that autocast rounds
