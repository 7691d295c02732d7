"""Draws pages by copying glyphs into patches; a batch of pages takes one step of numpy."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from finscribe_trainer.data_tools.small_pages.characters import characters
from finscribe_trainer.data_tools.small_pages.glyphs import FACES, SHIFTS, atlas


@cache
def _indices() -> dict[str, int]:
    return {character: index for index, character in enumerate(characters())}


def character_indices(pages: list[list[str]]) -> NDArray[np.intp]:
    """The indices in `characters()` of pages of one size: shape [pages, rows, columns]."""
    indices = _indices()
    return np.array([[[indices[character] for character in row] for row in page] for page in pages], np.intp)


def draw(indices: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw pages, each in a random type face, contrast and amount of noise.

    Args:
        indices: Characters, shape [pages, rows, columns].
        rng: All randomness.

    Returns:
        Grey patches of 14 x 14 pixels: [pages, 2 x rows, columns, 14, 14].
    """
    pages, rows, columns = indices.shape
    face = np.repeat(rng.integers(len(FACES), size=(pages, 1)), rows, axis=1)
    other = rng.random((pages, rows)) < 0.1
    face[other] = rng.integers(len(FACES), size=int(other.sum()))
    variants = face * len(SHIFTS) + rng.integers(len(SHIFTS), size=(pages, rows))
    ink = atlas()[variants[:, :, None], indices].astype(np.float32)
    paper = rng.uniform(215, 255, (pages, 1, 1, 1, 1)).astype(np.float32)
    contrast = rng.uniform(0.6, 1.0, (pages, 1, 1, 1, 1)).astype(np.float32)
    grey = paper * (1 - ink * (contrast / 255))
    strength = rng.integers(0, 13, (pages, 1, 1, 1, 1)) * (rng.random((pages, 1, 1, 1, 1)) < 0.5)
    grey += rng.integers(-8, 9, grey.shape, np.int8) * (strength.astype(np.float32) / 8)
    patches = grey.clip(0, 255).astype(np.uint8).reshape(pages, rows, columns, 2, 14, 14)
    return np.ascontiguousarray(patches.transpose(0, 1, 3, 2, 4, 5)).reshape(pages, 2 * rows, columns, 14, 14)


def to_image(patches: NDArray[np.uint8]) -> Image.Image:
    """One page, [rows of patches, columns, 14, 14], as an image."""
    high, wide = patches.shape[:2]
    return Image.fromarray(patches.transpose(0, 2, 1, 3).reshape(14 * high, 14 * wide)).convert("RGB")
