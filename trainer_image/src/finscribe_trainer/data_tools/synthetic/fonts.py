"""Type: families of free fonts, and text as a mask, put together from glyphs that are drawn once.

Drawing a text with Pillow costs about 300 us, and a page has some hundred texts. Here each glyph is drawn
once, and a text is put together from copies: about a tenth of the time. Glyphs stand at quarters of a pixel,
as on a printed page; Pillow's own drawing rounds places to whole pixels, which shows as uneven spacing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import font_roboto  # type: ignore[import-untyped]  # publishes no type information
import font_source_sans_pro  # type: ignore[import-untyped]  # likewise
import font_source_serif_pro  # type: ignore[import-untyped]  # likewise
import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_BUNDLED = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
_FINE = 4
"""Glyphs are drawn so many times larger, and made smaller at as many places between two pixels."""


def _bundled(stem: str, bold: str, italic: str) -> dict[str, str]:
    names = {"regular": stem, "bold": bold, "italic": italic, "light": stem}
    return {weight: str(_BUNDLED / f"{name}.ttf") for weight, name in names.items()}


FAMILIES: dict[str, dict[str, str]] = {
    "roboto": {
        "regular": font_roboto.Roboto,
        "bold": font_roboto.RobotoBold,
        "italic": font_roboto.RobotoItalic,
        "light": font_roboto.RobotoLight,
    },
    "source-sans": {
        "regular": font_source_sans_pro.SourceSansPro,
        "bold": font_source_sans_pro.SourceSansProSemibold,
        "italic": font_source_sans_pro.SourceSansProIt,
        "light": font_source_sans_pro.SourceSansProLight,
    },
    "source-serif": {
        "regular": font_source_serif_pro.SourceSerifPro,
        "bold": font_source_serif_pro.SourceSerifProSemibold,
        "italic": font_source_serif_pro.SourceSerifProIt,
        "light": font_source_serif_pro.SourceSerifProLight,
    },
    "dejavu-sans": _bundled("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique"),
    "dejavu-serif": _bundled("DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic"),
    "times": _bundled("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic"),
    "mono": _bundled("DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-Oblique"),
}
"""Families by name; each has the weights regular, bold, italic and light."""
RELATIVE_SIZE = {"dejavu-sans": 0.87, "dejavu-serif": 0.87, "mono": 0.87, "times": 1.07, "source-sans": 1.04}
"""What makes families look equally large; 1 where a family is missing."""

LACKS = {"times": "₹"}
"""Signs that a family cannot write."""


class Glyph(NamedTuple):
    """A drawn character: its ink (0 to 255), and where that lies from the pen on the base line."""

    ink: NDArray[np.uint8]
    left: int
    top: int


@dataclass(frozen=True)
class Stamp:
    """A drawn text: ink (0 to 255) of [height, width], and where it lies from the pen on the base line."""

    mask: NDArray[np.uint8]
    left: int
    top: int


@cache
def _advances(file: str) -> Callable[[str], float]:
    """How far it is, per pixel of size, from a character to the next one: a function of the pair.

    Kerning is in it, and it is the same for all sizes: measured once for all of a font's faces.
    """
    font = ImageFont.truetype(file, 512)
    return lru_cache(maxsize=None)(lambda pair: (font.getlength(pair) - font.getlength(pair[1:])) / 512)


class Face:
    """A family in one weight and size; get it from `face`, which keeps it with its glyphs.

    Attributes:
        ascent: From a line's top to its base line, in pixels.
        line: Height of a line, in pixels.
    """

    def __init__(self, family: str, weight: str, size: float) -> None:
        self._family, self._nominal = family, size
        size = round(2 * size * RELATIVE_SIZE.get(family, 1.0)) / 2
        self._font = ImageFont.truetype(FAMILIES[family][weight], size * _FINE)
        self._advance, self._size = _advances(FAMILIES[family][weight]), size
        self._glyphs: dict[str, tuple[Glyph, ...]] = {}
        self.ascent = round(size)
        self.line = round(size * 1.32)
        self.width = lru_cache(maxsize=4096)(self._width)

    def other(self, weight: str) -> "Face":
        """The same type in another weight."""
        return face(self._family, weight, self._nominal)

    def _width(self, text: str) -> float:
        """Width of a text in pixels."""
        return self._size * sum(self._advance(text[i : i + 2]) for i in range(len(text)))

    def _draw(self, character: str) -> tuple[Glyph, ...]:
        """The character at each place between two pixels; nothing for a space."""
        left, top, right, bottom = map(int, self._font.getbbox(character, anchor="ls"))
        image = Image.new("L", (max(1, right - left), max(1, bottom - top)))
        ImageDraw.Draw(image).text((-left, -top), character, fill=255, font=self._font, anchor="ls")
        ink = image.getbbox()  # less than the font's box, which reaches from pen to pen
        if ink is None:
            return ()
        image, left, top = image.crop(ink), left + ink[0], top + ink[1]
        right, bottom = left + image.width, top + image.height
        large, glyphs = np.asarray(image), []
        for phase in range(_FINE):
            x, y = (left + phase) // _FINE, top // _FINE
            width, height = -(-(right + phase) // _FINE) - x, -(-bottom // _FINE) - y
            fine = np.zeros((height * _FINE, width * _FINE), np.uint16)
            row, column = top - y * _FINE, left + phase - x * _FINE
            fine[row : row + image.height, column : column + image.width] = large
            means = fine.reshape(height, _FINE, width, _FINE).sum((1, 3)) // _FINE**2
            glyphs.append(Glyph(means.astype(np.uint8), x, y))
        return tuple(glyphs)

    def stamp(self, text: str, fraction: float = 0.0) -> Stamp | None:
        """Draw a text that starts `fraction` of a pixel right of its pen; None if nothing is to be seen."""
        placed: list[tuple[int, Glyph]] = []
        pen = fraction
        for i, character in enumerate(text):
            glyphs = self._glyphs.get(character)
            if glyphs is None:
                glyphs = self._glyphs[character] = self._draw(character)
            if glyphs:
                whole, phase = divmod(round(pen * _FINE), _FINE)
                placed.append((whole + glyphs[phase].left, glyphs[phase]))
            pen += self._size * self._advance(text[i : i + 2])
        if not placed:
            return None
        left = min(x for x, _ in placed)
        top = min(glyph.top for _, glyph in placed)
        right = max(x + glyph.ink.shape[1] for x, glyph in placed)
        bottom = max(glyph.top + glyph.ink.shape[0] for _, glyph in placed)
        mask = np.zeros((bottom - top, right - left), np.uint8)
        for x, (ink, _, y) in placed:
            height, width = ink.shape
            part = mask[y - top : y - top + height, x - left : x - left + width]
            np.maximum(part, ink, out=part)
        return Stamp(mask, left, top)


@cache
def face(family: str, weight: str, size: float) -> Face:
    """The face of a family; `size` is in pixels of a usual family: see `RELATIVE_SIZE`."""
    return Face(family, weight, size)
