"""Decides whether vision features are cached, and opens the cache."""

import logging
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from finscribe_core.api.base import count_bytes
from finscribe_core.errors import FailureReason, UserError, disk_errors_as_finscribe_errors
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.batches.features.cache import FeatureCache
from finscribe_trainer.batches.features.fingerprint import fingerprint
from finscribe_trainer.batches.features.store import FEATURE_FILES, FeatureStore
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.model.families.base import Family
from finscribe_trainer.runtime.disk_quota import DiskQuota

log = logging.getLogger(__name__)


def open_cache(
    config: TrainerConfig,
    args: TrainingArguments,
    model: Any,
    family: Family,
    examples: Iterable[Example],
    report: Callable[[int, int, int], None] = lambda *_: None,
) -> FeatureCache | None:
    """Open the feature cache of a run; None when features are not cached, with the reason in the log.

    Args:
        config: the run's config.
        args: give the device and the dtype of the model.
        model: the model with its adapter.
        family: the model's family.
        examples: the rows whose images are cached.
        report: see `FeatureCache`.

    Raises:
        UserError: InvalidConfig when the cache is enabled in the config but would be invalid, or its folder
            can't be used.
    """
    enabled = config.feature_cache.enabled
    if enabled is False:
        log.info("feature cache: disabled by feature_cache.enabled")
        return None
    if not any(example.images for example in examples):
        if enabled:
            log.info("feature cache: not used, no row has an image")
        return None
    if reason := reason_against_caching(config, model, family):
        if enabled:
            raise UserError(
                FailureReason.InvalidConfig,
                f"feature_cache.enabled is true, but {reason}.",
                "Change that setting, or remove feature_cache.enabled.",
            )
        log.info("feature cache: disabled: %s", reason)
        return None
    try:
        with disk_errors_as_finscribe_errors() if enabled else nullcontext():
            store, quota = _open(config, args, model, family)
    except OSError as error:
        if enabled:
            raise
        log.warning("feature cache: disabled: its folder can't be used: %s", error)
        return None
    log.info("feature cache: %s, at most %s", store.folder, config.feature_cache.max_size)
    return FeatureCache(model, family, store, quota, report)


def reason_against_caching(config: TrainerConfig, model: Any, family: Family) -> str | None:
    """Why cached features would be invalid; None if they are valid."""
    parameters = (each for module in family.vision_modules(model) for each in module.parameters())
    if any(parameter.requires_grad for parameter in parameters):
        return f"lora.scope {config.lora.scope} trains the vision tower, whose output changes with every step"
    if config.augmentation.enabled and config.augmentation.num_views is None:
        return "augmentation creates new views in every epoch (augmentation.num_views is not set)"
    return None


def _open(
    config: TrainerConfig, args: TrainingArguments, model: Any, family: Family
) -> tuple[FeatureStore, DiskQuota]:
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
    quota = DiskQuota(root, count_bytes(config.feature_cache.max_size), FEATURE_FILES)
    return FeatureStore(folder, dtype, family), quota
