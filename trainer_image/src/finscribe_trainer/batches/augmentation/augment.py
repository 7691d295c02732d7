"""Augments training rows: draws the parameters for each epoch and adapts sizes and boxes."""

import logging
from dataclasses import dataclass, replace

from finscribe_core.trainer_config import AugmentationSpec, TrainerConfig
from finscribe_trainer.batches.augmentation.boxes import has_box, transform_boxes
from finscribe_trainer.batches.augmentation.geometry import transform_of
from finscribe_trainer.batches.augmentation.params import AugmentationParams, draw_params, view_index
from finscribe_trainer.data.dataset import Example

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Augmentation:
    """Draws the augmentation of rows; the same row, epoch and seed always give the same parameters."""

    spec: AugmentationSpec
    seed: int

    def draw(self, example: Example, row: int, epoch: int) -> tuple[AugmentationParams, ...]:
        """Draw the parameters of each image of a row in an epoch.

        If a row has boxes and several images, whose box is whose is unknown: geometry is not augmented.

        Args:
            example: the row.
            row: its index among the training rows.
            epoch: counted from 0.
        """
        view = view_index(self.spec, epoch)
        drawn = tuple(draw_params(self.spec, self.seed, view, row, i) for i in range(len(example.images)))
        if len(drawn) > 1 and has_box(example.row.completion):
            return tuple(replace(params, angle=0.0, corner_shifts=(), scale=1.0) for params in drawn)
        return drawn


def augment_example(example: Example, params: tuple[AugmentationParams, ...]) -> Example:
    """The row with the sizes of its augmented images and the transformed boxes in its answer."""
    transforms = [transform_of(params, size) for params, size in zip(params, example.sizes, strict=True)]
    row = example.row
    if len(params) == 1 and params[0].moves_points:
        row = replace(row, completion=transform_boxes(row.completion, transforms[0]))
    return replace(example, row=row, sizes=tuple(transform.size for transform in transforms))


def token_count_scales(spec: AugmentationSpec) -> tuple[float, ...]:
    """The scales at which a page's tokens are counted: 1, and the smallest and largest of the augmentation.

    The smallest, too: a processor may enlarge an image that is too small, to more tokens than at full size.
    """
    return tuple({1.0, *spec.scale_range}) if spec.enabled else (1.0,)


def prepare_augmentation(config: TrainerConfig, examples: list[Example]) -> Augmentation | None:
    """The augmentation of the training rows; None when it is off or no row has an image."""
    spec = config.augmentation
    if not spec.enabled:
        if spec.model_fields_set and "enabled" not in spec.model_fields_set:
            log.warning("augmentation is off: set augmentation.enabled to true")
        return None
    if not any(example.images for example in examples):
        log.warning("augmentation.enabled has no effect: no training row has an image")
        return None
    views = "a new view in every epoch" if spec.num_views is None else f"{spec.num_views} views per page"
    log.info("augmentation is on: %s", views)
    return Augmentation(spec, config.training.seed)
