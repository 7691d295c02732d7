"""A changed page's pixels, in the order in which paper, optics, sensor and file change them."""

import io
import random
from functools import cache
from statistics import NormalDist, pstdev

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from finscribe_trainer.batches.augmentation.change import Change
from finscribe_trainer.batches.augmentation.placement import Placement, place

_WHITE = (255, 255, 255)
_COARSE = 0.7
"""Below this scale pixels are averaged first: interpolation alone would skip some."""


def changed_image(image: Image.Image, change: Change) -> Image.Image:
    """The page as it is shown.

    Args:
        image: the page, mode RGB.
        change: what happens to it.

    Returns:
        an RGB image of the size that `place` says; white where the page is not.
    """
    if change.moves:
        image = _moved(image, place(change, image.size))
    if change.blur:
        image = image.filter(
            ImageFilter.GaussianBlur(change.blur * (image.width * image.height) ** 0.5 / 1000)
        )
    if (change.brightness, change.contrast) != (1, 1):
        image = _lit(image, change.brightness, change.contrast)
    if change.noise_std:
        image = _noisy(image, change.noise_std, change.noise_seed)
    return image if change.jpeg_quality is None else _compressed(image, change.jpeg_quality)


def _moved(image: Image.Image, placement: Placement) -> Image.Image:
    matrix = placement.matrix
    scale = (placement.size[0] * placement.size[1] / (image.width * image.height)) ** 0.5
    if scale < _COARSE:
        small = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
        matrix = matrix @ np.diag([image.width / small.width, image.height / small.height, 1])
        image = small
    back = np.linalg.inv(matrix)
    back /= back[2, 2]
    affine = np.abs(back[2, :2]).max() < 1e-12
    return image.transform(
        placement.size,
        Image.Transform.AFFINE if affine else Image.Transform.PERSPECTIVE,
        back.ravel()[: 6 if affine else 8].tolist(),
        Image.Resampling.BILINEAR,
        fillcolor=_WHITE,
    )


def _lit(image: Image.Image, brightness: float, contrast: float) -> Image.Image:
    """Values times brightness; then their distance to the page's mean grey, times contrast."""
    counts = image.convert("L").histogram()
    bright = [min(value * brightness, 255.0) for value in range(256)]
    mean = sum(count * value for count, value in zip(counts, bright, strict=True)) / sum(counts)
    return image.point([round((value - mean) * contrast + mean) for value in bright] * 3)


def _noisy(image: Image.Image, std: float, seed: int) -> Image.Image:
    """Gaussian noise, another in each colour: a random byte looked up in a table is several times faster than
    a normal number.
    """
    amplitude = std * 255
    grains = random.Random(seed).randbytes(image.width * image.height * 3)  # noqa: S311 - noise, not a secret
    table = [min(max(round(128 + amplitude * z), 0), 255) for z in _normal_quantiles()]
    return ImageChops.add(image, Image.frombytes("RGB", image.size, grains).point(table * 3), 1, -128)


@cache
def _normal_quantiles() -> list[float]:
    """The middles of 256 equally likely parts of a normal distribution, with a standard deviation of 1."""
    middles = [NormalDist().inv_cdf((part + 0.5) / 256) for part in range(256)]
    return [z / pstdev(middles) for z in middles]


def _compressed(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    file.seek(0)
    with Image.open(file) as opened:
        return opened.convert("RGB")
