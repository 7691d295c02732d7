"""Simulates artifacts of scanners, faxes and phone cameras: rotation, uneven light, blur, noise, marks.

Uses whole-image operations of Pillow and small maps that are enlarged: level "light" takes some milliseconds
for a page of 1 megapixel.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw

from finscribe_trainer.data_tools.synthetic.page import Page
from finscribe_trainer.data_tools.synthetic.paper_marks import MARKS, in_mode
from finscribe_trainer.data_tools.synthetic.perspective import warp_page

Span = tuple[float, float]
Map = NDArray[np.float64]
_MAP_SIZE = 24
"""Side of the illumination map before it is enlarged."""
_TILE = 512


@dataclass(frozen=True)
class Level:
    """Probabilities and strengths of the artifacts at one level of degradation."""

    grey: float
    """Probability of greyscale."""
    tilt: Span
    """Probability, and largest angle in degrees."""
    bend: float
    """Perspective: largest shift of a corner, as a fraction of the page."""
    tone: float
    """Probability of toned paper and uneven light."""
    darkest: float
    """Lowest brightness of the darkest corner."""
    blur: Span
    """Probability, and largest standard deviation in pixels."""
    noise: Span
    """Probability, and largest standard deviation in grey levels."""
    faded: Span
    """Probability of faded ink, and its largest brightness in grey levels."""
    marks: float
    """Probability of each of: fold, stain, pen mark, stamp."""
    fax: float
    """Probability of pure black and white."""
    quality: tuple[int, int]
    """JPEG quality."""


LEVELS = {
    "none": Level(0, (0, 0), 0, 0, 1, (0, 0), (0, 0), (0, 0), 0, 0, (85, 85)),
    "light": Level(0.5, (0.4, 0.5), 0, 0.5, 0.92, (0.3, 0.5), (0.5, 4), (0.15, 40), 0.02, 0, (55, 85)),
    "medium": Level(0.5, (0.9, 1.2), 0.006, 0.9, 0.8, (0.6, 0.7), (0.8, 7), (0.3, 55), 0.15, 0.03, (40, 75)),
    "heavy": Level(0.5, (1, 2.2), 0.018, 1, 0.6, (0.8, 1.0), (1, 11), (0.5, 70), 0.35, 0.1, (35, 65)),
}
MIXED = {"none": 0.15, "light": 0.45, "medium": 0.3, "heavy": 0.1}
"""Fractions of the levels in a data set of mixed quality."""


def degrade(page: Page, level: str, rng: random.Random) -> Page:
    """Simulate a scan of a page.

    Args:
        page: the rendered page.
        level: a key of LEVELS.
        rng: source of all randomness.

    Returns:
        a page of the same size, in RGB or greyscale (mode L), with transformed boxes.
    """
    worst = LEVELS[level]
    image, boxes = page.image, page.boxes
    if rng.random() < worst.grey:
        image = image.convert("L")
    for mark in MARKS:
        if rng.random() < worst.marks:
            image = mark(image, rng)
    if rng.random() < worst.tilt[0]:
        image, boxes = warp_page(image, boxes, worst.tilt[1], worst.bend, rng)
    if rng.random() < worst.fax:  # further artifacts would erase pale ink
        return Page(_convert_to_fax(image, rng), boxes)
    if rng.random() < worst.blur[0]:
        image = _blur(image, rng.uniform(0.3, worst.blur[1]))
    if rng.random() < worst.faded[0]:
        black = rng.uniform(0.3, 1) * worst.faded[1]
        image = _apply_curve(image, lambda value: black + value * (255 - black) / 255)
    if rng.random() < worst.tone:
        image = _light_unevenly(image, worst.darkest, rng)
    if rng.random() < worst.noise[0]:
        image = _add_noise(image, rng.uniform(1, worst.noise[1]), rng)
    return Page(image, boxes)


def jpeg_quality(level: str, rng: random.Random) -> int:
    """A random JPEG quality for the level, on Pillow's scale."""
    return rng.randint(*LEVELS[level].quality)


def _light_unevenly(image: Image.Image, darkest: float, rng: random.Random) -> Image.Image:
    """Apply toned paper and uneven light: a gradient and, at high levels, a shadow from one side."""
    y, x = np.mgrid[0:_MAP_SIZE, 0:_MAP_SIZE] / (_MAP_SIZE - 1)
    angle, depth = rng.uniform(0, 2 * math.pi), rng.uniform(0, 1 - darkest)
    along = (x - 0.5) * math.cos(angle) + (y - 0.5) * math.sin(angle)
    light = 1 - depth * np.clip(along + 0.5, 0, 1) ** rng.uniform(1, 3)
    if darkest < 0.9 and rng.random() < 0.3:
        edge = rng.uniform(-0.1, 0.4)
        light *= 1 - (1 - darkest) * 0.5 / (1 + np.exp((along - edge) * 18))
    image = ImageChops.multiply(image, in_mode(_enlarge(light, image.size), image.mode))
    white, warmth = rng.uniform(0.94, 1), rng.uniform(-0.3, 1) * 0.09
    paper = (white, white * (1 - warmth * 0.35), white * (1 - warmth))[: len(image.getbands())]
    return image.point([round(value * share) for share in paper for value in range(256)])


def _blur(image: Image.Image, deviation: float) -> Image.Image:
    """Blur with small separable kernels; several times faster than a Gaussian filter of the same variance.

    The weights (k/2, 1 - k, k/2) along each axis have the variance k.
    """
    passes = math.ceil(deviation**2 / 0.6)
    weight = deviation**2 / passes
    for step in [(1, 0), (0, 1)] * passes:
        before, after = (ImageChops.offset(image, sign * step[0], sign * step[1]) for sign in (-1, 1))
        image = Image.blend(image, Image.blend(before, after, 0.5), weight)
    return image


def _add_noise(image: Image.Image, deviation: float, rng: random.Random) -> Image.Image:
    """Add sensor noise, equal in all channels."""
    tile = np.roll(_noise_tile(), (rng.randrange(_TILE), rng.randrange(_TILE)), (0, 1))
    width, height = image.size
    grains = np.tile(tile, (height // _TILE + 1, width // _TILE + 1))[:height, :width]
    noise = Image.fromarray(grains).point([round(128 + (v - 128) * deviation / 32) & 255 for v in range(256)])
    return ImageChops.add(image, in_mode(noise, image.mode), 1, -128)


@cache
def _noise_tile() -> NDArray[np.uint8]:
    """Normally distributed noise with mean 128 and standard deviation 32."""
    grains = np.random.default_rng(0).normal(128, 32, (_TILE, _TILE))
    return np.asarray(np.clip(grains, 0, 255).astype(np.uint8))


def _convert_to_fax(image: Image.Image, rng: random.Random) -> Image.Image:
    """Convert to black and white, with specks and the vertical lines of a dirty roller."""
    grey = image.convert("L")
    edge = rng.randint(165, 195)
    image = grey.point([255 * (value > edge) for value in range(256)])
    draw = ImageDraw.Draw(image)
    for _ in range(rng.randint(20, 400)):
        draw.point((rng.randrange(image.width), rng.randrange(image.height)), fill=rng.choice([0, 0, 255]))
    for _ in range(rng.choice([0, 0, 1, 2])):
        x = rng.randrange(image.width)
        draw.line((x, 0, x, image.height), fill=0)
    return image


def _enlarge(factors: Map, size: tuple[int, int]) -> Image.Image:
    """Enlarge a map of factors from 0 to 1, shape [height, width], to a greyscale image."""
    small = Image.fromarray((np.clip(factors, 0, 1) * 255).astype(np.uint8))
    return small.resize(size, Image.Resampling.BILINEAR)


def _apply_curve(image: Image.Image, curve: Callable[[int], float]) -> Image.Image:
    return image.point([round(curve(value)) for value in range(256)] * len(image.getbands()))
