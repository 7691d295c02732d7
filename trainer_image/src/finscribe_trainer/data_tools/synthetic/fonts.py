"""Font families, and fast text rendering from cached glyphs.

Drawing a text with Pillow takes about 300 us, and a page has some hundred texts. Here each glyph is drawn
once and texts are composed from the cache, in about a tenth of the time. Glyphs are positioned at quarters of
a pixel; Pillow's own text drawing rounds positions to whole pixels, which gives uneven spacing.
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
_OVERSAMPLING = 4
"""Oversampling factor of glyphs, and number of subpixel positions."""


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
"""Scale factors that make families look equally large; 1 for families not listed."""

LACKS = {"times": "₹"}
"""Currency symbols that a family has no glyph for."""


class Glyph(NamedTuple):
    """A rendered character: its ink (0 to 255), and its offset from the pen on the baseline."""

    ink: NDArray[np.uint8]
    left: int
    top: int


@dataclass(frozen=True)
class TextMask:
    """A rendered text: ink (0 to 255), shape [height, width], and its offset from the pen on the baseline."""

    mask: NDArray[np.uint8]
    left: int
    top: int


@cache
def _advances(file: str) -> Callable[[str], float]:
    """A function from a pair of characters to the advance of the first one, per pixel of font size.

    It includes kerning and is the same for all sizes, so it is shared by all faces of a font.
    """
    font = ImageFont.truetype(file, 512)
    return lru_cache(maxsize=None)(lambda pair: (font.getlength(pair) - font.getlength(pair[1:])) / 512)


class Face:
    """A font family in one weight and size. Use `face`, which caches faces with their glyphs.

    Attributes:
        ascent: Distance from a line's top to its baseline, in pixels.
        line: Height of a line, in pixels.
    """

    def __init__(self, family: str, weight: str, size: float) -> None:
        self._family, self._nominal = family, size
        size = round(2 * size * RELATIVE_SIZE.get(family, 1.0)) / 2
        self._font = ImageFont.truetype(FAMILIES[family][weight], size * _OVERSAMPLING)
        self._advance, self._size = _advances(FAMILIES[family][weight]), size
        self._glyphs: dict[str, tuple[Glyph, ...]] = {}
        self.ascent = round(size)
        self.line = round(size * 1.32)
        self.width = lru_cache(maxsize=4096)(self._width)

    def other(self, weight: str) -> "Face":
        """The same font family and size in another weight."""
        return face(self._family, weight, self._nominal)

    def _width(self, text: str) -> float:
        """Width of a text in pixels."""
        return self._size * sum(self._advance(text[i : i + 2]) for i in range(len(text)))

    def _draw(self, character: str) -> tuple[Glyph, ...]:
        """Render the character at each subpixel position; empty for a space."""
        left, top, right, bottom = map(int, self._font.getbbox(character, anchor="ls"))
        image = Image.new("L", (max(1, right - left), max(1, bottom - top)))
        ImageDraw.Draw(image).text((-left, -top), character, fill=255, font=self._font, anchor="ls")
        ink = image.getbbox()  # smaller than the font's box, which includes the side bearings
        if ink is None:
            return ()
        image, left, top = image.crop(ink), left + ink[0], top + ink[1]
        right, bottom = left + image.width, top + image.height
        large, glyphs = np.asarray(image), []
        for phase in range(_OVERSAMPLING):
            x, y = (left + phase) // _OVERSAMPLING, top // _OVERSAMPLING
            width, height = -(-(right + phase) // _OVERSAMPLING) - x, -(-bottom // _OVERSAMPLING) - y
            fine = np.zeros((height * _OVERSAMPLING, width * _OVERSAMPLING), np.uint16)
            row, column = top - y * _OVERSAMPLING, left + phase - x * _OVERSAMPLING
            fine[row : row + image.height, column : column + image.width] = large
            means = fine.reshape(height, _OVERSAMPLING, width, _OVERSAMPLING).sum((1, 3)) // _OVERSAMPLING**2
            glyphs.append(Glyph(means.astype(np.uint8), x, y))
        return tuple(glyphs)

    def render(self, text: str, fraction: float = 0.0) -> TextMask | None:
        """Render a text that starts `fraction` of a pixel to the right of the pen; None if it has no ink."""
        placed: list[tuple[int, Glyph]] = []
        pen = fraction
        for i, character in enumerate(text):
            glyphs = self._glyphs.get(character)
            if glyphs is None:
                glyphs = self._glyphs[character] = self._draw(character)
            if glyphs:
                whole, phase = divmod(round(pen * _OVERSAMPLING), _OVERSAMPLING)
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
        return TextMask(mask, left, top)


@cache
def face(family: str, weight: str, size: float) -> Face:
    """The cached face of a family; `size` is in pixels before scaling by `RELATIVE_SIZE`."""
    return Face(family, weight, size)
