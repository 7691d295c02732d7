"""Compiles the decoder layers with torch.compile, for training only."""

import logging
from collections.abc import Callable
from typing import Any

import torch
from transformers import PreTrainedModel

from finscribe_trainer.model.families.base import decoder_layers

log = logging.getLogger(__name__)


def compile_layers(model: PreTrainedModel, backend: str = "inductor") -> int:
    """Compile each decoder layer separately: they have the same code, so one compilation serves all.

    The vision tower is not compiled (it is frozen, and its features are cached). In eval mode layers run
    uncompiled: generation, whose sequences grow token by token, would recompile again and again. Parameter
    names do not change.

    Returns:
        the number of layers.

    Raises:
        UserError: ModelUnsupported when the model has no list of decoder layers.
    """
    layers = decoder_layers(model, "training.torch_compile")
    for layer in layers:
        layer.forward = _in_training(layer, torch.compile(layer.forward, backend=backend, dynamic=True))
    log.info("torch.compile: %d layers of the language model, at the first steps", len(layers))
    return len(layers)


def _in_training(layer: torch.nn.Module, compiled: Callable[..., Any]) -> Callable[..., Any]:
    plain = layer.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        return (compiled if layer.training else plain)(*args, **kwargs)

    return forward
