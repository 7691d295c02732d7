"""Chooses dtype and attention implementation, and checks optimizer and compiler, by settings and hardware."""

import importlib.util
import logging
import shutil

import torch
from transformers import PreTrainedModel
from transformers.utils.import_utils import is_flash_attn_2_available

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import Attention, Method, Optimizer, TrainerConfig, TrainingSpec

log = logging.getLogger(__name__)

_HALF_PRECISION = (torch.bfloat16, torch.float16)
_AMPERE = (8, 0)
"""Lowest compute capability that supports flash-attn."""


def choose_dtype(spec: TrainingSpec) -> torch.dtype:
    """The dtype of the frozen weights and the computation; adapter weights are always float32.

    By the settings bf16 and fp16; by default bfloat16 on a GPU that supports it, else float32. float16 needs
    a GPU: without one float32 is used, with a warning.

    Raises:
        UserError: InvalidConfig when bf16 is set and the GPU does not support bfloat16.
    """
    on_gpu = torch.cuda.is_available()
    has_bf16 = on_gpu and torch.cuda.is_bf16_supported(including_emulation=False)
    if spec.bf16 and on_gpu and not has_bf16:
        raise UserError(
            FailureReason.InvalidConfig,
            f"training.bf16 is true, but {torch.cuda.get_device_name()} does not support bfloat16.",
            "Set training.fp16 instead, or use an Ampere or newer GPU.",
        )
    if spec.fp16 and not on_gpu:
        log.warning("training.fp16 needs a GPU, and none is available: using float32")
        return torch.float32
    if spec.fp16:
        return torch.float16
    return torch.bfloat16 if spec.bf16 or (spec.bf16 is None and has_bf16) else torch.float32


def flush_denormals() -> None:
    """Round numbers below the smallest normal float32, 1.2e-38, to zero, here and in threads started later.

    Attention probabilities are often that small, and slow on Intel's CPUs (docs/speed.md). Only for x86.
    """
    torch.set_flush_denormal(True)


def choose_attention(
    wanted: Attention | None, dtype: torch.dtype, model_class: type[PreTrainedModel]
) -> Attention:
    """The attention implementation: `wanted`, else the fastest that machine and model class support.

    Raises:
        UserError: InvalidConfig when `wanted` is not supported.
    """
    unmet = {
        Attention.flash_attention_2: _unmet_by_flash_attention(dtype, model_class),
        Attention.sdpa: "" if model_class._supports_sdpa else _other_model(model_class),
        Attention.eager: "",
    }
    if wanted and unmet[wanted]:
        raise UserError(
            FailureReason.InvalidConfig,
            f"training.attnImplementation is {wanted}, which needs {unmet[wanted]}.",
            "Remove attnImplementation: the fastest supported implementation is then used.",
        )
    return wanted or next(attention for attention, requirement in unmet.items() if not requirement)


def _other_model(model_class: type[PreTrainedModel]) -> str:
    return f"a model class other than {model_class.__name__}"


def _unmet_by_flash_attention(dtype: torch.dtype, model_class: type[PreTrainedModel]) -> str:
    """The first requirement of flash-attn that is not met; empty when all are."""
    if not model_class._supports_flash_attn:
        return _other_model(model_class)
    if not torch.cuda.is_available():
        return "a GPU"
    if torch.cuda.get_device_capability() < _AMPERE:
        return "an Ampere or newer GPU"
    if dtype not in _HALF_PRECISION:
        return "bf16 or fp16"
    return "" if is_flash_attn_2_available() else "the package flash-attn"


def check_optimizer(optimizer: Optimizer) -> None:
    """Check that the optimizer is available; warn about a paged optimizer without a GPU.

    Raises:
        UserError: InvalidConfig when it needs bitsandbytes and that is not installed.
    """
    if optimizer in (Optimizer.adamw_torch, Optimizer.adamw_torch_fused):
        return
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UserError(
            FailureReason.InvalidConfig,
            f"training.optim {optimizer} needs bitsandbytes, which is not installed.",
            "Use adamw_torch, or install bitsandbytes (not available on macOS).",
        )
    if optimizer.startswith("paged") and not torch.cuda.is_available():
        log.warning("training.optim %s: paging has no effect without a GPU", optimizer)


def check_compiler() -> None:
    """Check that a C compiler for torch.compile is installed.

    Raises:
        UserError: InvalidConfig when there is none.
    """
    if not any(shutil.which(name) for name in ("cc", "gcc", "clang")):
        raise UserError(
            FailureReason.InvalidConfig,
            "training.torch_compile needs a C compiler, and none is installed.",
            "Set torch_compile to false, or install gcc.",
        )


def will_skip_step(scaler: torch.amp.GradScaler | None) -> bool:
    """Whether the gradient scaler handles a NaN or infinite gradient, by skipping the step.

    In float16 losses are scaled up so that small gradients do not underflow. When gradients overflow, the
    scaler skips the step and halves the scale. At a scale of 1 the scale is not the cause.
    """
    return scaler is not None and scaler.get_scale() > 1


def describe_choices(config: TrainerConfig, dtype: torch.dtype, attention: Attention) -> str:
    """One log line with dtype, device, attention, optimizer, quantization and the like."""
    spec = config.training
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    weights = "in 4 bits (NF4)" if config.method is Method.QLoRA else "not quantized"
    return ", ".join(
        (
            f"computing in {str(dtype).removeprefix('torch.')} on {device}",
            f"attention {attention}",
            f"optimizer {spec.optim}",
            f"weights {weights}",
            f"gradient checkpointing {'on' if spec.gradient_checkpointing else 'off'}",
            f"torch.compile {'on' if spec.torch_compile else 'off'}",
        )
    )
