"""Pictures of all characters in all type faces, each in a cell of 14 x 28 pixels."""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from finscribe_trainer.data_tools.small_pages.characters import characters
from finscribe_trainer.data_tools.synthetic.fonts import FAMILIES

WIDTH, HEIGHT = 14, 28
"""Size of a cell in pixels: one patch of the model wide, two high. Two cells are one image token."""
FACES = tuple(
    (family, weight, size)
    for family, weight, sizes in (
        ("mono", "regular", (19, 21, 22)),
        ("mono", "bold", (20, 22)),
        ("mono", "italic", (21,)),
        ("roboto", "regular", (21, 23)),
        ("source-sans", "regular", (22,)),
    )
    for size in sizes
)
"""Family, weight and size in pixels. Glyphs of proportional fonts are centred in their cells."""
SHIFTS = tuple((right, down) for right in (-1, 0, 1) for down in (-2, -1, 0, 1, 2))
"""Displacements of a line of text within its cells, in pixels."""
BASELINE = 21
VARIANTS = len(FACES) * len(SHIFTS)


@cache
def atlas() -> NDArray[np.uint8]:
    """Ink of each character in each variant: shape [variants, characters, height, width], 0 to 255."""
    found = np.zeros((len(FACES), len(SHIFTS), len(characters()), HEIGHT, WIDTH), np.uint8)
    for number, (family, weight, size) in enumerate(FACES):
        font = ImageFont.truetype(FAMILIES[family][weight], size)
        for index, character in enumerate(characters()):
            ink = _draw(character, font)
            for shift, (right, down) in enumerate(SHIFTS):
                part = ink[2 - down : 2 - down + HEIGHT, 1 - right : 1 - right + WIDTH]
                found[number, shift, index] = part
    return found.reshape(VARIANTS, len(characters()), HEIGHT, WIDTH)


def _draw(character: str, font: ImageFont.FreeTypeFont) -> NDArray[np.uint8]:
    """A character in a cell with a border for shifts; the wide ones of proportional fonts are compressed."""
    left, _, right, _ = font.getbbox(character, anchor="ls")
    width = max(WIDTH, math.ceil(right - left))
    picture = Image.new("L", (width, HEIGHT + 4))
    ImageDraw.Draw(picture).text(
        ((width - left - right) / 2, 2 + BASELINE), character, 255, font, anchor="ls"
    )
    cell = np.zeros((HEIGHT + 4, WIDTH + 2), np.uint8)
    cell[:, 1:-1] = np.asarray(picture.resize((WIDTH, HEIGHT + 4), Image.Resampling.BOX))
    return cell
