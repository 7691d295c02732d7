"""A training row as an epoch shows it."""

import logging
from dataclasses import dataclass, replace

from finscribe_core.trainer_config import AugmentationSpec, TrainerConfig
from finscribe_trainer.batches.augmentation.boxes import holds_box, moved_boxes
from finscribe_trainer.batches.augmentation.change import Change, draw_change, view_of
from finscribe_trainer.batches.augmentation.placement import place
from finscribe_trainer.data.dataset import Example

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Augmentation:
    """Changes training rows, one like the other wherever and whenever it is asked."""

    spec: AugmentationSpec
    seed: int

    def changes(self, example: Example, row: int, epoch: int) -> tuple[Change, ...]:
        """What happens to each of a row's images in an epoch.

        With several images it is not said on which of them a box is: then none of them moves.

        Args:
            example: the row.
            row: its place among the training rows.
            epoch: counted from 0.
        """
        view = view_of(self.spec, epoch)
        drawn = tuple(draw_change(self.spec, self.seed, view, row, i) for i in range(len(example.images)))
        if len(drawn) > 1 and holds_box(example.row.completion):
            return tuple(replace(change, angle=0.0, bend=(), scale=1.0) for change in drawn)
        return drawn


def changed_example(example: Example, changes: tuple[Change, ...]) -> Example:
    """The row with its images' new sizes, and with its answer's boxes where they are now."""
    placements = [place(change, size) for change, size in zip(changes, example.sizes, strict=True)]
    row = example.row
    if len(changes) == 1 and changes[0].moves:
        row = replace(row, completion=moved_boxes(row.completion, placements[0]))
    return replace(example, row=row, sizes=tuple(placement.size for placement in placements))


def scales(spec: AugmentationSpec) -> tuple[float, ...]:
    """The scales that a page's tokens are counted at: its own, the least and the greatest it is shown at.

    The least, too: what a processor thinks too small it enlarges, and may make more tokens of.
    """
    return tuple({1.0, *spec.scale_range}) if spec.enabled else (1.0,)


def prepare_augmentation(config: TrainerConfig, examples: list[Example]) -> Augmentation | None:
    """The augmentation of the training rows; None when it is off, and when there is no image to change."""
    spec = config.augmentation
    if not spec.enabled:
        if spec.model_fields_set and "enabled" not in spec.model_fields_set:
            log.warning("augmentation is off: set augmentation.enabled to true")
        return None
    if not any(example.images for example in examples):
        log.warning("augmentation.enabled has no effect: no training row has an image")
        return None
    views = "another one in every epoch" if spec.num_views is None else f"one of {spec.num_views}"
    log.info("augmentation: each page is shown changed, %s", views)
    return Augmentation(spec, config.training.seed)
