"""Loads the base model and attaches the adapter that is trained."""

import logging
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import set_seed

from finscribe_core.trainer_config import Method, OutputFormat, TrainerConfig
from finscribe_trainer.model.adapter import load_weights, name_base_model
from finscribe_trainer.model.compilation import compile_layers
from finscribe_trainer.model.families.base import Family
from finscribe_trainer.model.gated_mlp import use_memory_efficient_mlps
from finscribe_trainer.model.lora import (
    attach_adapter,
    log_adapter,
    refuse_tied_targets,
)
from finscribe_trainer.model.precision import (
    check_compiler,
    check_optimizer,
    choose_attention,
    choose_dtype,
    describe_choices,
    flush_denormals,
)
from finscribe_trainer.model.quantization import prevent_weight_repacking, quantization_options
from finscribe_trainer.model.source import ModelSource
from finscribe_trainer.runtime.cpu_memory import return_freed_memory

log = logging.getLogger(__name__)


def load_adapted_model(
    config: TrainerConfig, source: ModelSource, family: Family, adapter: Path | None = None
) -> PeftModel:
    """The frozen base model, in 4 bits for QLoRA, with a new adapter or the weights of the saved one.

    Raises:
        UserError: ModelNotFound, LoraTargetsNotFound, InvalidConfig.
    """
    spec = config.training
    on_cpu = not torch.cuda.is_available()
    if on_cpu:
        return_freed_memory()
        flush_denormals()
    set_seed(spec.seed)
    dtype = choose_dtype(spec)
    attention = choose_attention(spec.attn_implementation, dtype, family.model_class)
    check_optimizer(spec.optim)
    if spec.torch_compile:
        check_compiler()
    options: dict[str, Any] = {"dtype": dtype, "attn_implementation": str(attention)}
    if config.method is Method.QLoRA:
        options |= quantization_options(family, dtype)
    log.info(describe_choices(config, dtype, attention))
    base = family.load_model(source, **options)
    prevent_weight_repacking(base)
    adapted = attach_adapter(base, family, config.lora)
    log_adapter(adapted, config.lora)
    if OutputFormat.Merged in config.output_formats:
        refuse_tied_targets(adapted, "Remove it from lora.target_modules, or Merged from output_formats.")
    name_base_model(adapted, source)
    if adapter is not None:
        load_weights(adapted, adapter)
    if spec.torch_compile:  # which fuses the operations of an MLP itself
        compile_layers(base)
    elif on_cpu:
        use_memory_efficient_mlps(base)
    return adapted
