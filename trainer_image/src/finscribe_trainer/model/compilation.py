"""torch.compile where it helps: the language model's layers, in training."""

import logging
from collections.abc import Callable
from typing import Any

import torch
from transformers import PreTrainedModel

from finscribe_trainer.model.families.base import decoder_layers

log = logging.getLogger(__name__)


def compile_layers(model: PreTrainedModel, backend: str = "inductor") -> int:
    """Compile the decoder layers, each on its own: they are alike, so that one compilation serves all.

    The vision tower is left alone (frozen, and cached), as is everything outside training: texts that grow
    token by token would be compiled again and again. Names of parameters stay as they are.

    Returns:
        the number of layers.

    Raises:
        UserError: ModelUnsupported.
    """
    layers = decoder_layers(model, "training.torchCompile")
    for layer in layers:
        layer.forward = _in_training(layer, torch.compile(layer.forward, backend=backend, dynamic=True))
    log.info("torch.compile: %d layers of the language model, at the first steps", len(layers))
    return len(layers)


def _in_training(layer: torch.nn.Module, compiled: Callable[..., Any]) -> Callable[..., Any]:
    plain = layer.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        return (compiled if layer.training else plain)(*args, **kwargs)

    return forward
