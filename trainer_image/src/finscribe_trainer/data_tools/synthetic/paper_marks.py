"""Draws folds, stains, pen marks and stamps on a page, without hiding its ink."""

import math
import random
from collections.abc import Callable

from PIL import Image, ImageChops, ImageDraw, ImageFilter

_INKS = ((32, 52, 138), (22, 22, 30), (150, 28, 40))


def in_mode(grey: Image.Image, mode: str) -> Image.Image:
    """Convert a greyscale image (mode L) to `mode`: L or RGB."""
    return grey if mode == "L" else Image.merge("RGB", (grey, grey, grey))


def _fold(image: Image.Image, rng: random.Random) -> Image.Image:
    """Draw a fold: a crease, with one side slightly darker."""
    width, height = image.size
    shade = Image.new("L", image.size, 255)
    draw = ImageDraw.Draw(shade)
    at = height * rng.choice([1 / 3, 1 / 2, 2 / 3]) + rng.uniform(-8, 8)
    draw.rectangle((0, at, width, height), fill=rng.randint(235, 250))
    draw.line((0, at, width, at + rng.uniform(-2, 2)), fill=rng.randint(190, 225), width=rng.choice([1, 2]))
    return ImageChops.multiply(image, in_mode(shade, image.mode))


def _stain(image: Image.Image, rng: random.Random) -> Image.Image:
    """Draw a coffee ring or a blot."""
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
    return _apply_ink(image, mask, (120, 78, 36), _random_position(image, mask, rng))


def _pen_mark(image: Image.Image, rng: random.Random) -> Image.Image:
    """Draw a handwritten tick or underline."""
    mask = Image.new("L", (rng.randint(60, 180), rng.randint(40, 80)), 0)
    draw, (width, height) = ImageDraw.Draw(mask), mask.size
    if rng.random() < 0.5:
        points = [(0.1, 0.6), (0.25, 0.9), (0.35, 0.7), (0.5, 0.4), (0.9, 0.08)]
    else:
        wave = rng.uniform(0.3, 1.1)
        points = [(i / 12, 0.5 + 0.1 * math.sin(i * wave)) for i in range(1, 12)]
    drawn = [(x * width + rng.uniform(-2, 2), y * height + rng.uniform(-2, 2)) for x, y in points]
    draw.line(drawn, fill=rng.randint(170, 235), width=rng.choice([2, 3]), joint="curve")
    mask = mask.filter(ImageFilter.GaussianBlur(0.5))
    return _apply_ink(image, mask, rng.choice(_INKS), _random_position(image, mask, rng))


def _stamp(image: Image.Image, rng: random.Random) -> Image.Image:
    """Draw a worn round stamp: rings, a band and a number."""
    size = rng.randint(110, 150)
    mask = Image.new("L", (size, size), 0)
    draw, ink = ImageDraw.Draw(mask), rng.randint(110, 190)
    for inset, width in ((4, 3), (12, 1), (size * 0.24, 1)):
        draw.ellipse((inset, inset, size - inset, size - inset), outline=ink, width=width)
    draw.rectangle((size * 0.08, size * 0.38, size * 0.92, size * 0.62), fill=0, outline=ink, width=2)
    draw.text((size / 2, size / 2), f"{rng.randrange(10**4):04}", fill=ink, anchor="mm", font_size=size * 0.2)
    worn = _wear_mask(size, rng)
    mask = ImageChops.multiply(mask, worn).rotate(rng.uniform(-25, 25), Image.Resampling.BILINEAR)
    return _apply_ink(image, mask, rng.choice(_INKS), _random_position(image, mask, rng))


def _wear_mask(size: int, rng: random.Random) -> Image.Image:
    coarse = bytes(rng.randint(120, 255) for _ in range(12 * 12))
    return Image.frombytes("L", (12, 12), coarse).resize((size, size), Image.Resampling.BILINEAR)


def _random_position(image: Image.Image, mask: Image.Image, rng: random.Random) -> tuple[int, int]:
    return rng.randint(0, max(image.width - mask.width, 0)), rng.randint(
        0, max(image.height - mask.height, 0)
    )


def _apply_ink(
    image: Image.Image, mask: Image.Image, ink: tuple[int, int, int], place: tuple[int, int]
) -> Image.Image:
    """Multiply ink into the image through a mask, so that existing ink stays visible."""
    colour = Image.composite(Image.new("RGB", mask.size, ink), Image.new("RGB", mask.size, "white"), mask)
    box = (*place, place[0] + mask.width, place[1] + mask.height)
    image = image.copy()
    image.paste(ImageChops.multiply(image.crop(box), colour.convert(image.mode)), box)
    return image


MARKS: tuple[Callable[[Image.Image, random.Random], Image.Image], ...] = (_fold, _stain, _pen_mark, _stamp)
"""Functions that draw one kind of mark on a page in mode RGB or L."""
