"""Builds a model with its adapter as tensors without data, which take no memory."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from finscribe_core.trainer_config import Attention, TrainerConfig
from finscribe_trainer.batches.packing import ROW_BY_ROW
from finscribe_trainer.model.families.base import Family
from finscribe_trainer.model.gated_mlp import use_memory_efficient_mlps
from finscribe_trainer.model.lora import attach_adapter
from finscribe_trainer.model.quantization import quantized_layers


@dataclass(frozen=True)
class WeightlessModel:
    """A model that computes shapes only."""

    model: Any
    """With its adapter, in training mode."""
    mode: FakeTensorMode
    """Must be entered around all that is done with the model."""
    weights: int
    """Number of the base model's parameters."""
    quantizable: int
    """How many of them QLoRA stores in 4 bits."""
    largest_quantizable: int
    """Parameters of the largest of these layers."""
    trained: int
    """Number of the adapter's parameters."""


def build(config: TrainerConfig, family: Family, dtype: torch.dtype, *, on_cpu: bool) -> WeightlessModel:
    """The model of a training, as `load_adapted_model` prepares it.

    Args:
        config: of the training.
        family: of the model; gives its sizes.
        dtype: of the frozen weights and of the computation.
        on_cpu: whether it is trained on a CPU, where the MLPs need less memory.

    Raises:
        UserError: LoraTargetsNotFound.
    """
    attention = config.training.attn_implementation
    eager = attention is Attention.eager
    with torch.device("meta"), _default_dtype(dtype):
        base: Any = family.model_class(copy.deepcopy(family.config))
    base.set_attn_implementation("eager" if eager else "sdpa")
    quantized = [layer.weight.numel() for layer in quantized_layers(base, family).values()]
    weights = sum(each.numel() for each in base.parameters())
    model = attach_adapter(base, family, config.lora)
    if on_cpu and not config.training.torch_compile:
        use_memory_efficient_mlps(base)
    if config.training.packing is not False and not eager:
        base.set_attn_implementation({"text_config": ROW_BY_ROW} if family.reads_images else ROW_BY_ROW)
    trained = sum(each.numel() for each in model.parameters() if each.requires_grad)
    if config.training.gradient_checkpointing:
        model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    with mode:
        _replace_tensors(model)
    model.train()
    return WeightlessModel(model, mode, weights, sum(quantized), max(quantized, default=0), trained)


@contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _replace_tensors(model: torch.nn.Module) -> None:
    """Replace each parameter and buffer by one of the same shape; shared ones stay shared."""
    replaced: dict[int, Any] = {}

    def of(tensor: torch.Tensor) -> Any:
        if id(tensor) not in replaced:
            empty = torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu")
            is_parameter = isinstance(tensor, torch.nn.Parameter)
            new = torch.nn.Parameter(empty, requires_grad=tensor.requires_grad) if is_parameter else empty
            if tensor.requires_grad:
                new.grad = torch.empty_like(new)  # that of an earlier batch of the step
            replaced[id(tensor)] = new, tensor  # the original stays alive, or its id could be reused
        return replaced[id(tensor)][0]

    for module in model.modules():
        for name, tensor in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
            setattr(module, name, of(tensor))
