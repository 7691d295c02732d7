"""Gated MLP whose backward pass reuses the memory of its inputs, for training on a CPU."""

import copy
from collections.abc import Iterable
from types import MethodType
from typing import Any

import torch
from torch.nn import functional
from transformers import PreTrainedModel

_PARTS = {"gate_proj", "up_proj", "down_proj", "act_fn"}
_CHUNK = 2**18
"""Elements that are computed at once: 1 MiB of float32, which fits into a CPU core's cache."""


def use_memory_efficient_mlps(model: PreTrainedModel) -> None:
    """Replace the forward of MLPs of the form down(silu(gate(x)) * up(x)), as in Llama.

    Autograd keeps silu(gate(x)) beside gate(x) and up(x), and allocates four more tensors of that size for
    gradients: seven in all. Here there are three: gradients overwrite the tensors they belong to. The results
    are bit for bit the same, as the operations are.

    An MLP that computes anything else, whatever its layers are called, stays unchanged. Only for a CPU: on a
    GPU it was never measured.
    """
    for module in model.modules():
        if {name for name, _ in module.named_children()} == _PARTS and _is_gated_mlp(module, model.dtype):
            module.forward = MethodType(_forward, module)


@torch.no_grad()
def _is_gated_mlp(module: Any, dtype: torch.dtype) -> bool:
    """Compare outputs: other MLPs with layers of these names scale the product, for example.

    A module without data gets some for the comparison.
    """
    if module.gate_proj.weight.is_meta:
        module = copy.deepcopy(module).to_empty(device="cpu")
        for weight in module.parameters():
            torch.nn.init.normal_(weight, std=0.02)
    size, device = module.gate_proj.in_features, module.gate_proj.weight.device
    x = torch.linspace(-1, 1, 2 * size, dtype=dtype, device=device).view(2, size)
    was_training = module.training
    module.eval()
    same = torch.equal(module(x), _forward(module, x))
    module.train(was_training)
    return same


def _forward(self: Any, x: torch.Tensor) -> torch.Tensor:
    gated: torch.Tensor = _Gated.apply(self.gate_proj(x), self.up_proj(x))
    output: torch.Tensor = self.down_proj(gated)
    return output


class _Gated(torch.autograd.Function):
    """silu(gate) * up, of tensors of the same shape."""

    @staticmethod
    def forward(ctx: Any, gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(gate, up)
        gated = torch.empty(up.shape, dtype=torch.promote_types(gate.dtype, up.dtype), device=up.device)
        for result, g, u in _chunks(gated, gate, up):
            torch.mul(functional.silu(g), u, out=result)
        return gated

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        gate, up = ctx.saved_tensors
        for gradient, g, u in _chunks(grad_outputs[0].contiguous(), gate, up):
            of_up = gradient * functional.silu(g)
            g.copy_(torch.ops.aten.silu_backward(gradient * u, g))
            u.copy_(of_up)
        return gate, up


def _chunks(*tensors: torch.Tensor) -> Iterable[tuple[torch.Tensor, ...]]:
    """Views of as many rows at a time as fit into the cache."""
    rows = [tensor.view(-1, tensor.shape[-1]) for tensor in tensors]
    size = max(1, _CHUNK // rows[0].shape[1])
    return zip(*(each.split(size) for each in rows), strict=True)
