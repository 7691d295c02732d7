"""Attaches a new LoRA adapter to the base model."""

import logging
import re
from collections import defaultdict
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PreTrainedModel

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import LoraScope, LoraSpec
from finscribe_trainer.model.families.base import Family

log = logging.getLogger(__name__)


def target_pattern(spec: LoraSpec, language_model_pattern: str) -> str:
    r"""The regular expression that must match a module's full path for it to get an adapter.

    >>> target_pattern(LoraSpec(target_modules=["q_proj"]), r"(?:.*\.)?language_model\.")
    '(?:.*\\.)?language_model\\.(?:.*\\.)?(?:q_proj)'
    """
    scope = language_model_pattern if spec.scope is LoraScope.LanguageModel else ""
    names = "|".join(re.escape(name) for name in spec.target_modules)
    return rf"{scope}(?:.*\.)?(?:{names})"


def attach_adapter(model: PreTrainedModel, family: Family, spec: LoraSpec) -> PeftModel:
    """The model with a newly initialized adapter, whose weights are the only trainable ones.

    Raises:
        UserError: LoraTargetsNotFound; the remedy names modules that exist.
    """
    pattern = target_pattern(spec, family.language_model_pattern)
    matched = [name for name, _ in model.named_modules() if re.fullmatch(pattern, name)]
    if not matched:
        raise UserError(
            FailureReason.LoraTargetsNotFound,
            f"lora.target_modules {spec.target_modules} matches no module in scope {spec.scope}.",
            f"Modules that exist there: {', '.join(_linear_names(model, family, spec))}.",
        )
    config = LoraConfig(
        r=spec.r,
        lora_alpha=spec.alpha,
        lora_dropout=spec.dropout,
        target_modules=pattern,
        task_type="CAUSAL_LM",
    )
    try:
        adapted: PeftModel = get_peft_model(model, config)
    except ValueError as error:  # a matched module is of a type that LoRA does not support
        raise UserError(
            FailureReason.LoraTargetsNotFound,
            f"lora.target_modules {spec.target_modules}: {error}",
            f"Name linear layers, such as {', '.join(_linear_names(model, family, spec))}.",
        ) from error
    return adapted


def log_adapter(adapted: PeftModel, spec: LoraSpec) -> None:
    """Log where an adapter is, and its size; warn of targets that match no module."""
    config: Any = adapted.peft_config["default"]
    modules = _targeted_modules(adapted)
    for name in spec.target_modules:
        if not any(path == name or path.endswith(f".{name}") for path in modules):
            log.warning("lora.target_modules: %s matches no module in scope %s", name, spec.scope)
    trainable, total = adapted.get_nb_trainable_parameters()
    log.info("adapter on %d modules (scope %s): %s", len(modules), spec.scope, config.target_modules)
    log.info(
        "%s of %s parameters are trainable (%.2f %%)", f"{trainable:,}", f"{total:,}", 100 * trainable / total
    )


def refuse_tied_targets(adapted: PeftModel, remedy: str) -> None:
    """Refuse an adapter that can't be merged: on a module that shares its weights with another one.

    Merged into the shared weights it would change both modules: with tied embeddings, an adapter on the head
    would change the embeddings of the input, too.

    Args:
        adapted: the base model with the adapter.
        remedy: what to do.

    Raises:
        UserError: InvalidConfig, naming the modules.
    """
    owners: dict[int, set[str]] = defaultdict(set)
    for path, module in adapted.get_base_model().named_modules(remove_duplicate=False):
        for weight in module.parameters(recurse=False):
            owners[id(weight)].add(path.removesuffix(".base_layer"))
    targets = set(_targeted_modules(adapted))
    for modules in owners.values():
        if len(modules) > 1 and (tied := sorted(modules & targets)):
            others = sorted(modules - {tied[0]})
            raise UserError(
                FailureReason.InvalidConfig,
                f"{tied[0]} shares its weights with {', '.join(others)} (tied embeddings): an adapter on it "
                "can't be merged.",
                remedy,
            )


def _targeted_modules(adapted: PeftModel) -> list[str]:
    """The paths of the modules that have an adapter, in the base model."""
    tuner: Any = adapted.base_model
    return list(tuner.targeted_module_names)


def _linear_names(model: PreTrainedModel, family: Family, spec: LoraSpec) -> list[str]:
    """Names (last path components) of linear layers in the scope, at most ten."""
    scope = family.language_model_pattern if spec.scope is LoraScope.LanguageModel else ""
    names = {
        path.rsplit(".", 1)[-1]
        for path, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and re.match(scope, path)
    }
    return sorted(names)[:10]
