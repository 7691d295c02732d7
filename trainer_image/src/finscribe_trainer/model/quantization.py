"""QLoRA's 4-bit base model: how it is loaded for training, and the same weights for inference and merging.

An adapter that was trained on 4-bit weights has learned to compensate their rounding errors. On the exact
weights it gives other answers than those it was validated with. So its folder says how the base model was
quantized, and whoever loads it rounds the base model's weights in the same way.
"""

import json
import logging
import re
from pathlib import Path
from typing import Any

import torch
from transformers import BitsAndBytesConfig, PreTrainedModel

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.model.families.base import Family
from finscribe_trainer.model.source import QUANTIZATION_CONFIG

log = logging.getLogger(__name__)

QUANT_TYPE = "nf4"


def quantization_options(family: Family, compute_dtype: torch.dtype) -> dict[str, Any]:
    """Options of `from_pretrained` for QLoRA: NF4 with double quantization, the language model only.

    Raises:
        UserError: InvalidConfig when bitsandbytes is not installed.
    """
    _check_installed("Use method LoRA, or install bitsandbytes (not available on macOS).")
    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=QUANT_TYPE,
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute_dtype,
        llm_int8_skip_modules=list(family.unquantized_modules),  # applies to 4-bit loading, too
    )
    return {"quantization_config": config}


def prevent_weight_repacking(model: PreTrainedModel) -> None:
    """Keep bitsandbytes from repacking 4-bit weights at the first evaluation.

    On CPUs with AVX512-BF16 it repacks them permanently for a kernel that has no backward pass: after an
    evaluation the gradients of earlier layers would lack the part that flows through the frozen weights.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            setattr(module, "support_avx512bf16_for_cpu", False)  # noqa: B010 - not declared on nn.Module


def save_quantization(model: Any, folder: Path) -> None:
    """Write beside an adapter how its base model is quantized; nothing if it is not.

    Args:
        model: the adapted model.
        folder: the adapter's folder.
    """
    config = getattr(model.config, "quantization_config", None)
    if config is not None:
        text = json.dumps(config.to_diff_dict(), indent=2, sort_keys=True)
        (folder / QUANTIZATION_CONFIG).write_text(f"{text}\n", encoding="utf-8")


def round_as_in_training(model: PreTrainedModel, family: Family, adapter: Path) -> None:
    """Give the base model of an adapter the weights that it was trained with.

    Each weight becomes the value that its 4 bits stand for, in the model's dtype; the model needs as much
    memory as before. Without quantization_config.json in the adapter's folder nothing changes.

    Args:
        model: the base model, as it is stored.
        family: its family, which says what is not quantized.
        adapter: the adapter's folder.

    Raises:
        UserError: InvalidConfig when bitsandbytes is not installed; ModelUnsupported for another quantization
            than that of QLoRA.
    """
    file = adapter / QUANTIZATION_CONFIG
    if not file.is_file():
        return
    _check_quantization(file)
    _check_installed(f"Install it (not available on macOS): {adapter} was trained on a 4-bit base model.")
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit  # noqa: PLC0415 - optional

    log.info("rounding the base model's weights to 4 bits, as in the training of %s", adapter)
    with torch.no_grad():
        for layer in quantized_layers(model, family).values():
            weight = layer.weight.data.contiguous()
            codes, state = quantize_4bit(weight, quant_type=QUANT_TYPE, compress_statistics=True)
            layer.weight.data = dequantize_4bit(codes, state).to(weight.dtype)


def quantized_layers(model: torch.nn.Module, family: Family) -> dict[str, torch.nn.Linear]:
    """The layers that QLoRA quantizes, by path."""
    return {
        path: module
        for path, module in model.named_modules()
        if isinstance(module, torch.nn.Linear)
        and not any(re.match(pattern, path) for pattern in family.unquantized_modules)
    }


def _check_quantization(file: Path) -> None:
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        kind = config.get("bnb_4bit_quant_type"), config.get("bnb_4bit_use_double_quant")
    except (OSError, ValueError, AttributeError):
        kind = ("unreadable", False)
    if kind != (QUANT_TYPE, True):
        raise UserError(
            FailureReason.ModelUnsupported,
            f"{file} describes another quantization than that of method QLoRA (NF4, double quantization).",
            "Remove the file to use the adapter with the exact weights of its base model.",
        )


def _check_installed(remedy: str) -> None:
    try:
        import bitsandbytes  # noqa: F401, PLC0415 - only to check that it is installed
    except ImportError:
        raise UserError(
            FailureReason.InvalidConfig,
            "method QLoRA needs bitsandbytes, which is not installed.",
            remedy,
        ) from None
