"""Decides whether features are cached, and where."""

import logging
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from finscribe_core.api.base import count_bytes
from finscribe_core.errors import FailureReason, UserError, disk_trouble_told
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.batches.features.cache import FeatureCache
from finscribe_trainer.batches.features.fingerprint import fingerprint
from finscribe_trainer.batches.features.room import Room
from finscribe_trainer.batches.features.store import FeatureStore
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.model.families.base import Family

log = logging.getLogger(__name__)


def open_cache(
    config: TrainerConfig,
    args: TrainingArguments,
    model: Any,
    family: Family,
    examples: Iterable[Example],
    report: Callable[[int, int, int], None] = lambda *_: None,
) -> FeatureCache | None:
    """The feature cache of a run; None where there is none, and the log says why.

    Args:
        config: the run's.
        args: say where and in which precision the model computes.
        model: with its adapter.
        family: the model's.
        examples: whose images it would be for.
        report: see `FeatureCache`.

    Raises:
        UserError: InvalidConfig when it is asked for where it can't be valid, or its folder can't be used.
    """
    asked = config.feature_cache.enabled
    if asked is False:
        log.info("feature cache: off, as feature_cache.enabled says")
        return None
    if not any(example.images for example in examples):
        if asked:
            log.info("feature cache: nothing to do, no row has an image")
        return None
    if why := why_invalid(config, model, family):
        if asked:
            raise UserError(
                FailureReason.InvalidConfig,
                f"feature_cache.enabled is true, but {why}.",
                "Change that, or remove feature_cache.enabled.",
            )
        log.info("feature cache: off, because %s", why)
        return None
    try:
        with disk_trouble_told() if asked else nullcontext():
            store, room = _open(config, args, model, family)
    except OSError as error:
        if asked:
            raise
        log.warning("feature cache: off, its folder can't be used: %s", error)
        return None
    log.info("feature cache: %s, at most %s", store.folder, config.feature_cache.max_size)
    return FeatureCache(model, family, store, room, report)


def why_invalid(config: TrainerConfig, model: Any, family: Family) -> str | None:
    """Why features can't be kept; None where they can."""
    parameters = (each for module in family.vision_modules(model) for each in module.parameters())
    if any(parameter.requires_grad for parameter in parameters):
        return f"lora.scope {config.lora.scope} trains the vision tower, whose output changes with every step"
    if config.augmentation.enabled and config.augmentation.num_views is None:
        return "augmentation changes every image anew in each epoch (augmentation.num_views is not set)"
    return None


def _open(
    config: TrainerConfig, args: TrainingArguments, model: Any, family: Family
) -> tuple[FeatureStore, Room]:
    root = Path(config.feature_cache_dir or Path(config.output_dir) / "features")
    modules = family.vision_modules(model)
    tower: Any = modules[0]
    dtype = torch.bfloat16 if args.bf16 else torch.float16 if args.fp16 else torch.float32
    settings = {
        "processor": family.processing.image_processor.to_dict(),
        "attention": tower.config._attn_implementation,
        "dtype": str(dtype),
        "device": args.device.type,
    }
    folder = root / fingerprint(modules, settings)
    folder.mkdir(parents=True, exist_ok=True)
    return FeatureStore(folder, dtype, family), Room(root, count_bytes(config.feature_cache.max_size))
