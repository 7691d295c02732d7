"""The loss of tokens: cross-entropy, focal, smoothed, weighted."""

import torch

from finscribe_core.trainer_config import LossSpec
from finscribe_trainer.loss.cross_entropy import cross_entropy


def summed_loss(
    logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None, spec: LossSpec | None
) -> torch.Tensor:
    """The sum of the tokens' losses times their weights, as a scalar.

    Args:
        logits: (tokens, vocabulary), in any floating-point type; used up by the backward pass.
        targets: (tokens,), the right tokens' ids.
        weights: (tokens,); 1 each when None.
        spec: which loss; the plain cross-entropy when None.
    """
    smoothing = spec.label_smoothing if spec and spec.use_label_smoothing else 0.0
    losses = cross_entropy(logits, targets, smoothing)
    if spec and spec.use_focal:
        losses = _focal(losses, spec)
    if weights is not None:
        losses = losses * weights.to(losses.dtype)
    return losses.sum()


def _focal(losses: torch.Tensor, spec: LossSpec) -> torch.Tensor:
    """-alpha (1 - p)^gamma log p, p being the probability of the right token.

    Lin et al. 2017, "Focal Loss for Dense Object Detection", equation 5.

    Args:
        losses: (tokens,), -log p.
        spec: alpha and gamma.
    """
    # 1 - p without cancellation; never 0, where the derivative of a root would be infinite.
    missing = (-torch.expm1(-losses)).clamp_min(torch.finfo(losses.dtype).tiny)
    return spec.focal_alpha * missing**spec.focal_gamma * losses
