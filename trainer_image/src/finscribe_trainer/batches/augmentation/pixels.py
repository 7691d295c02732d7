"""Applies augmentation parameters to an image: geometry, blur, light, noise, then JPEG compression."""

import io
import random
from functools import cache
from statistics import NormalDist, pstdev

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from finscribe_trainer.batches.augmentation.geometry import PageTransform, transform_of, warp
from finscribe_trainer.batches.augmentation.params import AugmentationParams

_WHITE = (255, 255, 255)
_MIN_INTERPOLATED_SCALE = 0.7
"""Below this scale the image is downsampled by averaging first: bilinear interpolation alone would alias."""


def augment_image(image: Image.Image, params: AugmentationParams) -> Image.Image:
    """Augment an image.

    Args:
        image: the page, mode RGB.
        params: the augmentation.

    Returns:
        an RGB image of the size given by `transform_of`, white outside the page.
    """
    if params.moves_points:
        image = _warp(image, transform_of(params, image.size))
    if params.blur:
        image = image.filter(
            ImageFilter.GaussianBlur(params.blur * (image.width * image.height) ** 0.5 / 1000)
        )
    if (params.brightness, params.contrast) != (1, 1):
        image = _adjust_light(image, params.brightness, params.contrast)
    if params.noise_std:
        image = _add_noise(image, params.noise_std, params.noise_seed)
    return image if params.jpeg_quality is None else _compress(image, params.jpeg_quality)


def _warp(image: Image.Image, transform: PageTransform) -> Image.Image:
    matrix = transform.matrix
    scale = (transform.size[0] * transform.size[1] / (image.width * image.height)) ** 0.5
    if scale < _MIN_INTERPOLATED_SCALE:
        small = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
        matrix = matrix @ np.diag([image.width / small.width, image.height / small.height, 1])
        image = small
    return warp(image, matrix, transform.size, _WHITE)


def _adjust_light(image: Image.Image, brightness: float, contrast: float) -> Image.Image:
    """Scale the values by brightness, then their distance to the page's mean grey by contrast."""
    counts = image.convert("L").histogram()
    bright = [min(value * brightness, 255.0) for value in range(256)]
    mean = sum(count * value for count, value in zip(counts, bright, strict=True)) / sum(counts)
    return image.point([round((value - mean) * contrast + mean) for value in bright] * 3)


def _add_noise(image: Image.Image, std: float, seed: int) -> Image.Image:
    """Add Gaussian noise, independent in each channel.

    Random bytes mapped by a table of normal quantiles are several times faster than normal random numbers.
    """
    amplitude = std * 255
    noise = random.Random(seed).randbytes(image.width * image.height * 3)  # noqa: S311 - noise, not cryptography
    table = [min(max(round(128 + amplitude * z), 0), 255) for z in _normal_quantiles()]
    return ImageChops.add(image, Image.frombytes("RGB", image.size, noise).point(table * 3), 1, -128)


@cache
def _normal_quantiles() -> list[float]:
    """The mid-quantiles of 256 equally likely intervals of a normal distribution, scaled to variance 1."""
    middles = [NormalDist().inv_cdf((part + 0.5) / 256) for part in range(256)]
    return [z / pstdev(middles) for z in middles]


def _compress(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    file.seek(0)
    with Image.open(file) as opened:
        return opened.convert("RGB")
