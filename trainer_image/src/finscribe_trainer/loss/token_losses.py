"""The loss of single tokens: cross-entropy, focal, smoothed."""

import torch
from torch.nn import functional

from finscribe_core.trainer_config import LossSpec


def token_losses(logits: torch.Tensor, targets: torch.Tensor, spec: LossSpec | None = None) -> torch.Tensor:
    """What each token costs, before weights.

    With p the probability of the right token, V the size of the vocabulary, y the right token:

    - plain: -log p
    - focal (Lin et al. 2017, "Focal Loss for Dense Object Detection", eq. 5): -alpha (1 - p)^gamma log p
    - smoothed (Szegedy et al. 2016, "Rethinking the Inception Architecture", section 7):
      -(1 - e) log p - e / V sum_j log p_j

    Args:
        logits: (tokens, V), float32 or float64.
        targets: (tokens,), the right tokens' ids.
        spec: which loss; the plain one when None.

    Returns:
        (tokens,), in the logits' type.
    """
    if spec is None:
        return functional.cross_entropy(logits, targets, reduction="none")
    smoothing = spec.label_smoothing if spec.use_label_smoothing else 0.0
    losses = functional.cross_entropy(logits, targets, reduction="none", label_smoothing=smoothing)
    if not spec.use_focal:
        return losses
    # 1 - p without cancellation; never 0, where the derivative of a root would be infinite.
    missing = (-torch.expm1(-losses)).clamp_min(torch.finfo(losses.dtype).tiny)
    return spec.focal_alpha * missing**spec.focal_gamma * losses
