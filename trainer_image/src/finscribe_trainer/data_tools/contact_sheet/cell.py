"""Draws one cell of a contact sheet: the whole page, an enlarged strip, and a caption."""

import math

import numpy as np
from PIL import Image, ImageDraw

from finscribe_trainer.batches.augmentation.params import AugmentationParams

WIDTH, PAGE_HEIGHT, STRIP_HEIGHT, GAP = 300, 400, 90, 6
_LINE_HEIGHT, _FONT_SIZE = 16, 12.5
CAPTION_HEIGHT = 4 * _LINE_HEIGHT + 4
HEIGHT = PAGE_HEIGHT + GAP + STRIP_HEIGHT + CAPTION_HEIGHT
_BOX_COLOUR, _STRIP_COLOUR, _CAPTION_COLOUR = (214, 40, 57), (38, 103, 255), "white"

Point = tuple[float, float]
Boxes = list[list[float]]


def draw_cell(page: Image.Image, boxes: Boxes, centre: Point, caption: tuple[str, str]) -> Image.Image:
    """Draw a page on a transparent cell.

    Args:
        page: mode RGB.
        boxes: boxes to outline: left, top, right, bottom in pixels of the page.
        centre: centre of the enlarged strip, in pixels of the page.
        caption: two texts of up to two lines each.
    """
    cell = Image.new("RGBA", (WIDTH, HEIGHT))
    strip = _strip_box(page.size, centre)
    small, corner = _fitted(page, boxes, strip)
    cell.paste(small, corner)
    close_up = page.crop(strip).resize((WIDTH, STRIP_HEIGHT), Image.Resampling.LANCZOS)
    cell.paste(close_up, (0, PAGE_HEIGHT + GAP))
    draw = ImageDraw.Draw(cell)
    draw.rectangle((0, PAGE_HEIGHT + GAP, WIDTH - 1, HEIGHT - CAPTION_HEIGHT - 1), outline=_STRIP_COLOUR)
    lines = [line for text in caption for line in _wrapped(text, draw)]
    for number, line in enumerate(lines):
        y = HEIGHT - CAPTION_HEIGHT + (number + 1) * _LINE_HEIGHT
        draw.text((WIDTH / 2, y), line, _CAPTION_COLOUR, anchor="ms", font_size=_FONT_SIZE)
    return cell


def _wrapped(text: str, draw: ImageDraw.ImageDraw) -> list[str]:
    """Wrap a text to at most two lines; of longer texts and words, such as paths, the end is kept."""
    lines: list[str] = []
    for word in text.split():
        if lines and _fits(f"{lines[-1]} {word}", draw):
            lines[-1] += f" {word}"
        else:
            ends = (word, *(f"…{word[cut:]}" for cut in range(1, len(word))))
            lines.append(next(end for end in ends if _fits(end, draw)))
    return lines[-2:]


def _fits(text: str, draw: ImageDraw.ImageDraw) -> bool:
    return draw.textlength(text, font_size=_FONT_SIZE) <= WIDTH


def _fitted(page: Image.Image, boxes: Boxes, strip: tuple[int, ...]) -> tuple[Image.Image, tuple[int, int]]:
    """The page scaled to fit, with outlined boxes and strip, and the position of its upper left corner."""
    factor = min(WIDTH / page.width, PAGE_HEIGHT / page.height)
    size = (max(1, round(page.width * factor)), max(1, round(page.height * factor)))
    small = page.resize(size, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(small)
    for box in boxes:
        draw.rectangle([value * factor for value in box], outline=_BOX_COLOUR)
    draw.rectangle([value * factor for value in strip], outline=_STRIP_COLOUR)
    return small, ((WIDTH - small.width) // 2, (PAGE_HEIGHT - small.height) // 2)


def _strip_box(size: tuple[int, int], centre: Point) -> tuple[int, int, int, int]:
    """The box of the enlarged strip: unscaled for a page of 1 megapixel, else the same part of the page."""
    width, height = size
    factor = math.sqrt(width * height / 1e6)
    across, down = min(width, round(WIDTH * factor)), min(height, round(STRIP_HEIGHT * factor))
    left = min(max(round(centre[0] - across / 2), 0), width - across)
    top = min(max(round(centre[1] - down / 2), 0), height - down)
    return left, top, left + max(across, 1), top + max(down, 1)


def busiest_point(page: Image.Image) -> Point:
    """The centre of the strip with the largest standard deviation, which contains text."""
    grey = np.asarray(page.convert("L"), dtype=float)
    left, top, right, bottom = _strip_box(page.size, (0, 0))
    across, down = right - left, bottom - top
    corners = [
        (x, y)
        for y in range(0, page.height - down + 1, max(1, down // 2))
        for x in range(0, page.width - across + 1, max(1, across // 4))
    ]
    x, y = max(corners, key=lambda at: grey[at[1] : at[1] + down, at[0] : at[0] + across].std())
    return x + across / 2, y + down / 2


def describe(params: AugmentationParams) -> tuple[str, str]:
    """Describe the augmentation of a page in two lines."""
    geometry = [
        f"rotated {params.angle:+.1f}°" if params.angle else "",
        "perspective" if params.corner_shifts else "",
        f"scaled {params.scale:.2f}" if params.scale != 1 else "",
        f"blurred {params.blur:.1f}" if params.blur else "",
        f"JPEG {params.jpeg_quality}" if params.jpeg_quality is not None else "",
    ]
    light = [
        f"brightness {params.brightness:.2f}" if params.brightness != 1 else "",
        f"contrast {params.contrast:.2f}" if params.contrast != 1 else "",
        f"noise {params.noise_std:.3f}" if params.noise_std else "",
    ]
    return ", ".join(filter(None, geometry)), ", ".join(filter(None, light))
