"""Loads a model's family, and checks the rows against it: images, special tokens, lengths."""

from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.batches.augmentation.augment import token_count_scales
from finscribe_trainer.batches.selection import RowLimits, select_rows
from finscribe_trainer.data.image_count import check_any_image
from finscribe_trainer.data.splits import Splits
from finscribe_trainer.model.families.base import Family
from finscribe_trainer.model.families.registry import load_family
from finscribe_trainer.model.source import ModelSource


def load_family_and_rows(config: TrainerConfig, source: ModelSource, splits: Splits) -> tuple[Family, Splits]:
    """The family, and the rows without those beyond the limits; loads no weights.

    Raises:
        UserError: ModelNotFound, ModelUnsupported, or DatasetInvalid when rows can't be used with the model.
    """
    family = load_family(source)
    if family.reads_images and config.require_images:
        check_any_image(splits.train, source.name)
    scales = token_count_scales(config.augmentation)
    limits = RowLimits(config.training.max_sequence_length, config.max_pages)
    return family, select_rows(splits, family, limits, scales)
