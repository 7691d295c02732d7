"""Counts the rows with images, so that a data set whose pages are not seen is noticed."""

from collections.abc import Sequence

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.dataset import Example


def with_images(examples: Sequence[Example]) -> int:
    """Number of rows with at least one image."""
    return sum(bool(example.row.images) for example in examples)


def image_count(num_with_images: int, num_rows: int, kind: str = "") -> str:
    """The count as logs and reports state it.

    >>> image_count(6, 8, "training")
    '6 of 8 training samples have images'
    """
    return f"{num_with_images} of {num_rows} {kind + ' ' if kind else ''}samples have images"


def check_any_image(examples: Sequence[Example], model: str) -> None:
    """Refuse training rows of which none has an image, for a model that reads images.

    Raises:
        UserError: DatasetInvalid.
    """
    if with_images(examples):
        return
    raise UserError(
        FailureReason.DatasetInvalid,
        f"{image_count(0, len(examples), 'training')}, but {model} reads images: it would learn answers "
        "without seeing the pages.",
        "Name the page of each row as its `image`; for a data set of texts only, set require_images to false "
        "(in a FineTuneJob, dataset.requireImages).",
    )
