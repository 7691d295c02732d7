"""What a scanner, a fax or a phone makes of a page: tilt, light, blur, noise, folds, stains, pen marks.

Works in whole-image steps of Pillow, on small maps that are enlarged: a light scan of a page of a megapixel
takes some milliseconds.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from finscribe_trainer.synthetic.page import Page
from finscribe_trainer.synthetic.tilt import tilted

Span = tuple[float, float]
Map = NDArray[np.float64]
MAP_SIZE = 24
"""Side of the maps of light and stains before they are enlarged."""
_TILE = 512
_INKS = ((32, 52, 138), (22, 22, 30), (150, 28, 40))


@dataclass(frozen=True)
class Level:
    """How bad a scan may be; a chance is that an effect happens at all."""

    grey: float
    """Chance of a scan without colour."""
    tilt: Span
    """Chance, and degrees at most."""
    bend: float
    """Perspective: how far a corner may move, as a share of the page."""
    tone: float
    """Chance of paper that is not white and light that is not even."""
    darkest: float
    """How bright the darkest corner is, at worst."""
    blur: Span
    """Chance, and standard deviation at most, in pixels."""
    noise: Span
    """Chance, and standard deviation at most, in grey levels."""
    faded: Span
    """Chance, and how light the ink may get, in grey levels."""
    marks: float
    """Chance of each: a fold, a stain, a pen mark, a stamp."""
    fax: float
    """Chance of black and white alone."""
    quality: tuple[int, int]
    """JPEG quality."""


LEVELS = {
    "none": Level(0, (0, 0), 0, 0, 1, (0, 0), (0, 0), (0, 0), 0, 0, (92, 92)),
    "light": Level(0.5, (0.4, 0.5), 0, 0.5, 0.92, (0.3, 0.5), (0.5, 4), (0.15, 40), 0.02, 0, (75, 92)),
    "medium": Level(0.5, (0.9, 1.2), 0.006, 0.9, 0.8, (0.6, 0.7), (0.8, 8), (0.3, 70), 0.15, 0.03, (55, 85)),
    "heavy": Level(0.5, (1, 2.2), 0.018, 1, 0.6, (0.8, 1.0), (1, 14), (0.5, 100), 0.35, 0.1, (35, 70)),
}
MIXED = {"none": 0.15, "light": 0.45, "medium": 0.3, "heavy": 0.1}
"""Shares of the levels in a data set of mixed quality."""


def degrade(page: Page, level: str, rng: random.Random) -> Page:
    """The page as it comes from a scanner.

    Args:
        page: as it was drawn.
        level: a key of LEVELS.
        rng: decides everything.

    Returns:
        a page of the same size, in colour or in grey (mode L), its boxes moved with the ink.
    """
    worst = LEVELS[level]
    image, boxes = page.image, page.boxes
    if rng.random() < worst.grey:
        image = image.convert("L")
    for mark in (_fold, _stain, _pen_mark, _stamp):
        if rng.random() < worst.marks:
            image = mark(image, rng)
    if rng.random() < worst.tilt[0]:
        image, boxes = tilted(image, boxes, worst.tilt[1], worst.bend, rng)
    if rng.random() < worst.blur[0]:
        image = _blurred(image, rng.uniform(0.3, worst.blur[1]))
    if rng.random() < worst.faded[0]:
        black = rng.uniform(0.3, 1) * worst.faded[1]
        image = _through(image, lambda value: black + value * (255 - black) / 255)
    if rng.random() < worst.tone:
        image = _lit(image, worst.darkest, rng)
    if rng.random() < worst.noise[0]:
        image = _noisy(image, rng.uniform(1, worst.noise[1]), rng)
    if rng.random() < worst.fax:
        image = _faxed(image, rng)
    return Page(image, boxes)


def jpeg_quality(level: str, rng: random.Random) -> int:
    """How well the scan is kept as JPEG (Pillow's scale)."""
    return rng.randint(*LEVELS[level].quality)


def _lit(image: Image.Image, darkest: float, rng: random.Random) -> Image.Image:
    """Toned paper below uneven light: a gradient, and a shadow from one side in bad light."""
    y, x = np.mgrid[0:MAP_SIZE, 0:MAP_SIZE] / (MAP_SIZE - 1)
    angle, depth = rng.uniform(0, 2 * math.pi), rng.uniform(0, 1 - darkest)
    along = (x - 0.5) * math.cos(angle) + (y - 0.5) * math.sin(angle)
    light = 1 - depth * np.clip(along + 0.5, 0, 1) ** rng.uniform(1, 3)
    if darkest < 0.9 and rng.random() < 0.3:
        edge = rng.uniform(-0.1, 0.4)
        light *= 1 - (1 - darkest) * 0.5 / (1 + np.exp((along - edge) * 18))
    image = ImageChops.multiply(image, _in_mode(_enlarged(light, image.size), image.mode))
    white, warmth = rng.uniform(0.94, 1), rng.uniform(-0.3, 1) * 0.09
    paper = (white, white * (1 - warmth * 0.35), white * (1 - warmth))[: len(image.getbands())]
    return image.point([round(value * share) for share in paper for value in range(256)])


def _blurred(image: Image.Image, deviation: float) -> Image.Image:
    """Blurred by a few pixels' neighbours; several times faster than a Gaussian filter, and as soft.

    The weights (k/2, 1 - k, k/2) along each axis have the variance k.
    """
    passes = math.ceil(deviation**2 / 0.6)
    weight = deviation**2 / passes
    for step in [(1, 0), (0, 1)] * passes:
        sides = (ImageChops.offset(image, sign * step[0], sign * step[1]) for sign in (-1, 1))
        image = Image.blend(image, Image.blend(*sides, 0.5), weight)
    return image


def _noisy(image: Image.Image, deviation: float, rng: random.Random) -> Image.Image:
    """Noise of a sensor: the same on all colours."""
    tile = np.roll(_noise_tile(), (rng.randrange(_TILE), rng.randrange(_TILE)), (0, 1))
    width, height = image.size
    grains = np.tile(tile, (height // _TILE + 1, width // _TILE + 1))[:height, :width]
    noise = Image.fromarray(grains).point([round(128 + (v - 128) * deviation / 32) & 255 for v in range(256)])
    return ImageChops.add(image, _in_mode(noise, image.mode), 1, -128)


@cache
def _noise_tile() -> NDArray[np.uint8]:
    """Normal noise about 128 with a deviation of 32."""
    grains = np.random.default_rng(0).normal(128, 32, (_TILE, _TILE))
    return np.asarray(np.clip(grains, 0, 255).astype(np.uint8))


def _faxed(image: Image.Image, rng: random.Random) -> Image.Image:
    """Black and white alone, with specks, and lines that a dirty roller left."""
    grey = image.convert("L")
    edge = rng.randint(130, 165)
    image = grey.point([255 * (value > edge) for value in range(256)])
    draw = ImageDraw.Draw(image)
    for _ in range(rng.randint(20, 400)):
        draw.point((rng.randrange(image.width), rng.randrange(image.height)), fill=rng.choice([0, 0, 255]))
    for _ in range(rng.choice([0, 0, 1, 2])):
        x = rng.randrange(image.width)
        draw.line((x, 0, x, image.height), fill=0)
    return image


def _fold(image: Image.Image, rng: random.Random) -> Image.Image:
    """A letter's fold: a bright crease, one side a little darker."""
    width, height = image.size
    shade = Image.new("L", image.size, 255)
    draw = ImageDraw.Draw(shade)
    at = height * rng.choice([1 / 3, 1 / 2, 2 / 3]) + rng.uniform(-8, 8)
    draw.rectangle((0, at, width, height), fill=rng.randint(235, 250))
    draw.line((0, at, width, at + rng.uniform(-2, 2)), fill=rng.randint(190, 225), width=rng.choice([1, 2]))
    return ImageChops.multiply(image, _in_mode(shade, image.mode))


def _stain(image: Image.Image, rng: random.Random) -> Image.Image:
    """The ring of a cup, or a blot."""
    size = rng.randint(90, 220)
    stain = Image.new("L", (size, size), 0)
    draw = ImageDraw.Draw(stain)
    for _ in range(3):
        inset = rng.uniform(4, 14)
        box = (inset, inset + rng.uniform(-3, 3), size - inset, size - inset)
        draw.ellipse(box, outline=rng.randint(60, 110), width=rng.randint(1, 4))
    if rng.random() < 0.4:
        draw.ellipse((8, 8, size - 9, size - 9), fill=rng.randint(25, 55))
    mask = stain.filter(ImageFilter.GaussianBlur(1.6))
    return _inked(image, mask, (120, 78, 36), _somewhere(image, mask, rng))


def _pen_mark(image: Image.Image, rng: random.Random) -> Image.Image:
    """A tick, or a line somebody drew under something, by hand."""
    mask = Image.new("L", (rng.randint(60, 180), rng.randint(40, 80)), 0)
    draw, (width, height) = ImageDraw.Draw(mask), mask.size
    if rng.random() < 0.5:
        points = [(0.1, 0.6), (0.25, 0.9), (0.35, 0.7), (0.5, 0.4), (0.9, 0.08)]
    else:
        points = [(i / 12, 0.5 + 0.14 * math.sin(i * rng.uniform(0.6, 1.1))) for i in range(1, 12)]
    drawn = [(x * width + rng.uniform(-2, 2), y * height + rng.uniform(-2, 2)) for x, y in points]
    draw.line(drawn, fill=rng.randint(170, 235), width=rng.choice([2, 3]), joint="curve")
    mask = mask.filter(ImageFilter.GaussianBlur(0.5))
    return _inked(image, mask, rng.choice(_INKS), _somewhere(image, mask, rng))


def _stamp(image: Image.Image, rng: random.Random) -> Image.Image:
    """An office's round stamp: rings, a band, a number; ink is missing here and there."""
    size = rng.randint(110, 150)
    mask = Image.new("L", (size, size), 0)
    draw, ink = ImageDraw.Draw(mask), rng.randint(110, 190)
    for inset, width in ((4, 3), (12, 1), (size * 0.24, 1)):
        draw.ellipse((inset, inset, size - inset, size - inset), outline=ink, width=width)
    draw.rectangle((size * 0.08, size * 0.38, size * 0.92, size * 0.62), fill=0, outline=ink, width=2)
    draw.text((size / 2, size / 2), f"{rng.randrange(10**4):04}", fill=ink, anchor="mm", font_size=size * 0.2)
    worn = _worn(size, rng)
    mask = ImageChops.multiply(mask, worn).rotate(rng.uniform(-25, 25), Image.Resampling.BILINEAR)
    return _inked(image, mask, rng.choice(_INKS), _somewhere(image, mask, rng))


def _worn(size: int, rng: random.Random) -> Image.Image:
    coarse = bytes(rng.randint(120, 255) for _ in range(12 * 12))
    return Image.frombytes("L", (12, 12), coarse).resize((size, size), Image.Resampling.BILINEAR)


def _somewhere(image: Image.Image, mask: Image.Image, rng: random.Random) -> tuple[int, int]:
    return rng.randint(0, max(image.width - mask.width, 0)), rng.randint(
        0, max(image.height - mask.height, 0)
    )


def _inked(
    image: Image.Image, mask: Image.Image, ink: tuple[int, int, int], place: tuple[int, int]
) -> Image.Image:
    """Ink through a mask, as ink lies on paper: what is below shines through, and nothing gets lighter."""
    colour = Image.composite(Image.new("RGB", mask.size, ink), Image.new("RGB", mask.size, "white"), mask)
    box = (*place, place[0] + mask.width, place[1] + mask.height)
    image = image.copy()
    image.paste(ImageChops.multiply(image.crop(box), colour.convert(image.mode)), box)
    return image


def _enlarged(factors: Map, size: tuple[int, int]) -> Image.Image:
    """A small map [height, width] of factors from 0 to 1 as a grey image."""
    small = Image.fromarray((np.clip(factors, 0, 1) * 255).astype(np.uint8))
    return small.resize(size, Image.Resampling.BILINEAR)


def _through(image: Image.Image, curve: Callable[[int], float]) -> Image.Image:
    return image.point([round(curve(value)) for value in range(256)] * len(image.getbands()))


def _in_mode(grey: Image.Image, mode: str) -> Image.Image:
    return grey if mode == "L" else Image.merge("RGB", (grey, grey, grey))
