"""The gated MLP of language models, in less memory than autograd takes for it."""

from collections.abc import Iterable
from types import MethodType
from typing import Any

import torch
from torch.nn import functional
from transformers import PreTrainedModel

_PARTS = {"gate_proj", "up_proj", "down_proj", "act_fn"}
_CHUNK = 2**18
"""Numbers that are worked on at once on a CPU: 1 MiB of float32, what its nearest caches hold."""


def use_memory_efficient_mlps(model: PreTrainedModel) -> None:
    """Let MLPs of the form down(silu(gate(x)) * up(x)), as in Llama, take three wide tensors, not seven.

    Autograd keeps silu(gate(x)) beside gate(x) and up(x), and takes four more for gradients. Here there is
    one, and the others take the place of what they are the gradients of. Every number is the same: it comes
    of the same operations.

    An MLP that computes anything else, whatever its parts are called, is left as it is.
    """
    for module in model.modules():
        if {name for name, _ in module.named_children()} == _PARTS and _is_gated_mlp(module, model.dtype):
            module.forward = MethodType(_forward, module)


@torch.no_grad()
def _is_gated_mlp(module: Any, dtype: torch.dtype) -> bool:
    """Tried out: others of these parts scale what is between them."""
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
    """Views of some rows at a time: of all on a GPU, which works better on much at once."""
    rows = [tensor.view(-1, tensor.shape[-1]) for tensor in tensors]
    size = max(1, _CHUNK // rows[0].shape[1] if rows[0].device.type == "cpu" else len(rows[0]))
    return zip(*(each.split(size) for each in rows), strict=True)
