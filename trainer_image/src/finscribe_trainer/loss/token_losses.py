"""Sums token losses: cross-entropy, optionally with focal loss, label smoothing and token weights."""

import torch

from finscribe_core.trainer_config import LossSpec
from finscribe_trainer.loss.cross_entropy import cross_entropy


def summed_loss(
    logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None, spec: LossSpec | None
) -> torch.Tensor:
    """The weighted sum of the tokens' losses, a scalar.

    Args:
        logits: (tokens, vocabulary), in any floating-point dtype; overwritten by the backward pass.
        targets: (tokens,), the ids of the target tokens.
        weights: (tokens,); all 1 when None.
        spec: the loss; plain cross-entropy when None.
    """
    smoothing = spec.label_smoothing if spec and spec.use_label_smoothing else 0.0
    losses = cross_entropy(logits, targets, smoothing)
    if spec and spec.use_focal:
        losses = _focal(losses, spec)
    if weights is not None:
        losses = losses * weights.to(losses.dtype)
    return losses.sum()


def _focal(losses: torch.Tensor, spec: LossSpec) -> torch.Tensor:
    """-alpha (1 - p)^gamma log p, with p the probability of the target token.

    Lin et al. 2017, "Focal Loss for Dense Object Detection", equation 5.

    Args:
        losses: (tokens,), -log p.
        spec: alpha and gamma.
    """
    # 1 - p without cancellation; never 0, where the derivative for gamma < 1 would be infinite.
    complement = (-torch.expm1(-losses)).clamp_min(torch.finfo(losses.dtype).tiny)
    return spec.focal_alpha * complement**spec.focal_gamma * losses
