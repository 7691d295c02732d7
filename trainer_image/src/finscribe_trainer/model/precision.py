"""In which numbers and by which kernels a model is computed: as set, where this machine can."""

import importlib.util
import logging
import shutil

import torch
from transformers import PreTrainedModel
from transformers.utils.import_utils import is_flash_attn_2_available

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import Attention, Method, Optimizer, TrainerConfig, TrainingSpec

log = logging.getLogger(__name__)

_HALVES = (torch.bfloat16, torch.float16)
_AMPERE = (8, 0)
"""Compute capability from which on flash-attn and bfloat16 run."""


def choose_dtype(spec: TrainingSpec) -> torch.dtype:
    """What the frozen weights are held and computed in; the adapter itself is always float32.

    As set; else bfloat16 on a GPU that has it, and float32 anywhere else. float16 needs a GPU: without one
    it is computed in float32, and said.

    Raises:
        UserError: InvalidConfig when bfloat16 is asked of a GPU that does not support it.
    """
    on_gpu = torch.cuda.is_available()
    has_bf16 = on_gpu and torch.cuda.is_bf16_supported(including_emulation=False)
    if spec.bf16 and on_gpu and not has_bf16:
        raise UserError(
            FailureReason.InvalidConfig,
            f"training.bf16 is true, but {torch.cuda.get_device_name()} has no bfloat16.",
            "Set training.fp16 instead, or use an Ampere or newer GPU.",
        )
    if spec.fp16 and not on_gpu:
        log.warning("training.fp16 needs a GPU, and there is none: computing in float32")
        return torch.float32
    if spec.fp16:
        return torch.float16
    return torch.bfloat16 if spec.bf16 or (spec.bf16 is None and has_bf16) else torch.float32


def choose_attention(
    wanted: Attention | None, dtype: torch.dtype, model_class: type[PreTrainedModel]
) -> Attention:
    """How attention is computed: as set, else by the fastest that this machine and the model's class have.

    Raises:
        UserError: InvalidConfig when what is asked for can't be.
    """
    obstacles = {
        Attention.flash_attention_2: _flash_obstacle(dtype, model_class),
        Attention.sdpa: "" if model_class._supports_sdpa else _another(model_class),
        Attention.eager: "",
    }
    if wanted and obstacles[wanted]:
        raise UserError(
            FailureReason.InvalidConfig,
            f"training.attnImplementation is {wanted}, which needs {obstacles[wanted]}.",
            "Remove attnImplementation: the fastest that is possible is then taken.",
        )
    return wanted or next(attention for attention, obstacle in obstacles.items() if not obstacle)


def _another(model_class: type[PreTrainedModel]) -> str:
    return f"another kind of model than {model_class.__name__}"


def _flash_obstacle(dtype: torch.dtype, model_class: type[PreTrainedModel]) -> str:
    """What flash-attn misses here; empty when nothing."""
    if not model_class._supports_flash_attn:
        return _another(model_class)
    if not torch.cuda.is_available():
        return "a GPU"
    if torch.cuda.get_device_capability() < _AMPERE:
        return "an Ampere or newer GPU"
    if dtype not in _HALVES:
        return "bf16 or fp16"
    return "" if is_flash_attn_2_available() else "the package flash-attn"


def check_optimizer(optimizer: Optimizer) -> None:
    """Refuse an optimizer that is not there, and say where one does less than its name.

    Raises:
        UserError: InvalidConfig when bitsandbytes is needed and not installed.
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
        log.warning("training.optim %s: without a GPU nothing is paged", optimizer)


def check_compiler() -> None:
    """Refuse torch.compile where there is no compiler, before anything is loaded.

    Raises:
        UserError: InvalidConfig.
    """
    if not any(shutil.which(name) for name in ("cc", "gcc", "clang")):
        raise UserError(
            FailureReason.InvalidConfig,
            "training.torchCompile needs a C compiler, and there is none.",
            "Set torchCompile to false, or install gcc.",
        )


def will_skip_step(scaler: torch.amp.GradScaler | None) -> bool:
    """Whether a gradient that is no number is the scaler's to deal with.

    In float16 losses are scaled up, so that small gradients are not lost, and now and then too far: the step
    is then left out, and the scale halved. At 1 the scale is no longer what is wrong.
    """
    return scaler is not None and scaler.get_scale() > 1


def describe_choices(config: TrainerConfig, dtype: torch.dtype, attention: Attention) -> str:
    """What was chosen, in one line."""
    spec = config.training
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    weights = "in 4 bits (nf4)" if config.method is Method.QLoRA else "not quantised"
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
