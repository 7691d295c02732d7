"""What a row shows: features where there are any; no image is opened that need not be."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from PIL.Image import Image

from finscribe_trainer.batches.augmentation.change import Change
from finscribe_trainer.batches.augmentation.pixels import changed_image
from finscribe_trainer.batches.features.store import FeatureStore
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.images import open_image
from finscribe_trainer.model.families.base import ImageInput, UncachedImage


def show_images(
    example: Example, changes: Sequence[Change] = (), store: FeatureStore | None = None
) -> list[ImageInput]:
    """The images of a row, as `Family.encode` takes them.

    Args:
        example: the row.
        changes: what happens to each image; nothing when empty.
        store: where features are looked for; nowhere when None.
    """
    each_change: Sequence[Change | None] = changes or (None,) * len(example.images)
    pairs = list(zip(example.images, each_change, strict=True))
    if store is None:
        return [_open(*pair) for pair in pairs]
    keys = [_key(*pair) for pair in zip(example.image_hashes, each_change, strict=True)]
    return [
        store.find(key) or UncachedImage(_open(*pair), key) for key, pair in zip(keys, pairs, strict=True)
    ]


def _open(path: Path, change: Change | None) -> Image:
    image = open_image(path)
    return image if change is None else changed_image(image, change)


def _key(sha256: str, change: Change | None) -> str:
    """The same for the same pixels."""
    if change is None:
        return sha256
    return f"{sha256}-{hashlib.sha256(repr(change).encode()).hexdigest()[:16]}"
