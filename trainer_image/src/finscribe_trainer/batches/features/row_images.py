"""Opens and augments the images of a row, or finds their cached features instead."""

import hashlib
from collections.abc import Sequence

from PIL.Image import Image

from finscribe_trainer.batches.augmentation.params import AugmentationParams
from finscribe_trainer.batches.augmentation.pixels import augment_image
from finscribe_trainer.batches.features.store import FeatureStore
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.images import open_image
from finscribe_trainer.data.table_images import ImageFile
from finscribe_trainer.model.families.base import ImageInput, UncachedImage


def open_row_images(
    example: Example, params: Sequence[AugmentationParams] = (), store: FeatureStore | None = None
) -> list[ImageInput]:
    """The images of a row for `Family.encode`: an image is opened only if its features are not cached.

    Args:
        example: the row.
        params: the augmentation of each image; empty for none.
        store: the cached features; None without a cache.
    """
    each_params: Sequence[AugmentationParams | None] = params or (None,) * len(example.images)
    pairs = list(zip(example.images, each_params, strict=True))
    if store is None:
        return [_open(*pair) for pair in pairs]
    keys = [_key(*pair) for pair in zip(example.image_hashes, each_params, strict=True)]
    return [
        store.find(key) or UncachedImage(_open(*pair), key) for key, pair in zip(keys, pairs, strict=True)
    ]


def _open(path: ImageFile, params: AugmentationParams | None) -> Image:
    image = open_image(path)
    return image if params is None else augment_image(image, params)


def _key(sha256: str, params: AugmentationParams | None) -> str:
    """The cache key: equal for equal pixels."""
    if params is None:
        return sha256
    return f"{sha256}-{hashlib.sha256(repr(params).encode()).hexdigest()[:16]}"
