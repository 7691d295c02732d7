"""Muon for the matrices of both towers, AdamW for embeddings, norms, biases and the patch projection."""

import torch
from torch import nn

from tools.tiny_model.losses import Losses
from tools.tiny_model.stages import ADAM_RATE, MUON_RATE

GRADIENT_NORM = 1.0


class Optimizers:
    """Both optimizers as one.

    Attributes:
        parts: Muon and AdamW.
    """

    def __init__(self, losses: Losses) -> None:
        matrices, others = list[nn.Parameter](), list[nn.Parameter]()
        for name, weight in losses.named_parameters():
            is_hidden = ".layers." in name or ".projector.linear" in name
            (matrices if is_hidden and weight.ndim == 2 else others).append(weight)
        self.parts = (
            torch.optim.Muon(matrices, lr=MUON_RATE, weight_decay=0.0),
            torch.optim.AdamW(others, lr=ADAM_RATE, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
        )
        self._rates = (MUON_RATE, ADAM_RATE)
        self._weights = [*matrices, *others]

    def step(self, factor: float) -> None:
        """Clip the gradients, and update the weights with learning rates scaled by `factor`."""
        nn.utils.clip_grad_norm_(self._weights, GRADIENT_NORM)
        for optimizer, rate in zip(self.parts, self._rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * factor
            optimizer.step()
            optimizer.zero_grad()
