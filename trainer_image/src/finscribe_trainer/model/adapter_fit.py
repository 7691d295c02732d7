"""Checks that a saved adapter fits a run's base model and LoRA settings, before the model is loaded."""

import re
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.model.adapter import read_adapter_config
from finscribe_trainer.model.families.registry import load_family
from finscribe_trainer.model.lora import attach_adapter
from finscribe_trainer.model.source import ADAPTER_WEIGHTS, ModelSource

Shapes = dict[str, tuple[int, ...]]
"""The shape of each tensor by its name."""
_OTHER_KINDS = ("use_rslora", "use_dora", "rank_pattern", "alpha_pattern", "modules_to_save", "bias")
"""Settings of PEFT with which an adapter is computed in another way."""


def check_adapter_fits(folder: Path, name: str, config: TrainerConfig, source: ModelSource) -> None:
    """Check that a training can go on from a saved adapter: of its weights only names and shapes are read.

    Args:
        folder: the adapter's folder.
        name: how messages name it.
        config: the run's config.
        source: the base model, of which only the config is read.

    Raises:
        UserError: InvalidConfig, naming everything that differs; ModelNotFound for a damaged file.
    """
    try:
        found = stored_shapes(folder / ADAPTER_WEIGHTS)
    except SafetensorError as error:
        raise UserError(
            FailureReason.ModelNotFound,
            f"{name}: {ADAPTER_WEIGHTS} is damaged ({error}).",
            "Restore the file, or name another adapter.",
        ) from None
    expected = adapter_shapes(config, source)
    settings = _other_settings(read_adapter_config(folder), config, source)
    problems = [*settings, *_other_modules(found, expected)]
    if not problems and (problem := shape_problem(found, expected)):
        problems.append(problem)
    if problems:
        raise UserError(
            FailureReason.InvalidConfig,
            f"The training can't start from the adapter {name}: {'; '.join(problems)}.",
            "Use the settings and the base model of the adapter, or start without it.",
        )


def _other_settings(saved: dict[str, Any], config: TrainerConfig, source: ModelSource) -> list[str]:
    of_adapter = {
        "lora.r": (saved.get("r"), config.lora.r),
        "lora.alpha": (saved.get("lora_alpha"), config.lora.alpha),
        "the base model": (
            _without_slash(saved.get("base_model_name_or_path")),
            source.lasting_name.rstrip("/"),
        ),
    }
    if saved.get("revision") and source.revision:  # an adapter of an unpinned model names none
        of_adapter["the base model's revision"] = saved["revision"], source.revision
    differing = [
        f"{name} is {now!r}, and was {then!r} for the adapter"
        for name, (then, now) in of_adapter.items()
        if then != now
    ]
    others = [name for name in _OTHER_KINDS if saved.get(name) not in (None, False, "none", {}, [])]
    if saved.get("peft_type") != "LORA" or others:
        differing.append(f"it is no plain LoRA adapter ({', '.join(others) or saved.get('peft_type')})")
    return differing


def _without_slash(value: Any) -> Any:
    return value.rstrip("/") if isinstance(value, str) else value


def _other_modules(found: Shapes, expected: Shapes) -> list[str]:
    """The modules that only one of the adapter and lora.target_modules with lora.scope has."""
    only_here, only_there = _modules(expected) - _modules(found), _modules(found) - _modules(expected)
    selected = "lora.target_modules and lora.scope"
    problems = []
    if only_here:
        problems.append(f"{selected} select {_some(only_here)}, which the adapter does not have")
    if only_there:
        problems.append(f"the adapter has {_some(only_there)}, which {selected} do not select")
    return problems


def _modules(shapes: Shapes) -> set[str]:
    return {re.sub(r"^base_model\.model\.|\.lora_[A-Za-z_]+(\.weight)?$", "", name) for name in shapes}


def _some(modules: set[str]) -> str:
    first, *others = sorted(modules)
    return f"{first} and {len(others)} others" if others else first


def shape_problem(found: Shapes, expected: Shapes) -> str | None:
    """The first expected tensor that is missing or has another shape."""
    for name, shape in expected.items():
        if name not in found:
            return f"{name} is missing"
        if found[name] != shape:
            return f"{name} has the shape {found[name]} instead of {shape}"
    return None


def stored_shapes(file: Path) -> Shapes:
    """The shapes of the tensors of a .safetensors file."""
    with safe_open(file, framework="pt") as stored:
        return {name: tuple(stored.get_slice(name).get_shape()) for name in stored.keys()}  # noqa: SIM118 - no mapping


def adapter_shapes(config: TrainerConfig, source: ModelSource) -> Shapes:
    """The shapes of a new adapter's weights, of a model without memory."""
    family = load_family(source)
    with torch.device("meta"):
        adapted = attach_adapter(family.model_class(family.config), family, config.lora)
    weights = ((name, weight) for name, weight in adapted.named_parameters() if weight.requires_grad)
    return {re.sub(r"\.default\b", "", name): tuple(weight.shape) for name, weight in weights}
