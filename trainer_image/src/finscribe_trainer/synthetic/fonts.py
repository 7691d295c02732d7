"""Type: families of free fonts, and text as a mask, put together from glyphs that are drawn once.

Drawing a text with Pillow costs about 300 us; a page has some hundred texts. Here each glyph is drawn once per
quarter of a pixel, and a text is a handful of copies: about a tenth of the time, with the same look.
"""

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
_PHASES = 4
"""Places between two pixels at which a glyph is drawn: fewer show as uneven spacing."""


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
    """A drawn text: mask [height, width] of ink (0 to 255), and where it lies from the pen on the base line."""

    mask: NDArray[np.uint8]
    left: int
    top: int


class Face:
    """A family in one weight and size; get it from `face`, which keeps it with its glyphs.

    Attributes:
        size: Of the type, in pixels.
        ascent: From a line's top to its base line, in pixels.
        line: Height of a line, in pixels.
    """

    def __init__(self, family: str, weight: str, size: float) -> None:
        self._family, self._nominal = family, size
        size = round(2 * size * RELATIVE_SIZE.get(family, 1.0)) / 2
        self._font = ImageFont.truetype(FAMILIES[family][weight], size)
        self._glyphs: dict[tuple[str, int], Glyph | None] = {}
        self._advances: dict[str, float] = {}
        self.size = size
        self.ascent = round(size * 1.0)
        self.line = round(size * 1.32)
        self.width = lru_cache(maxsize=4096)(self._width)

    def other(self, weight: str) -> "Face":
        """The same type in another weight."""
        return face(self._family, weight, self._nominal)

    def _advance(self, pair: str) -> float:
        """From a character to the next one, with their kerning."""
        found = self._advances.get(pair)
        if found is None:
            found = self._font.getlength(pair) - self._font.getlength(pair[1:])
            self._advances[pair] = found
        return found

    def _width(self, text: str) -> float:
        """Width of a text in pixels."""
        return sum(self._advance(text[i : i + 2]) for i in range(len(text)))

    def _glyph(self, character: str, phase: int) -> Glyph | None:
        """The character, `phase` quarters of a pixel to the right; None for a space."""
        pad = round(self.size * 2)
        image = Image.new("L", (2 * pad, 2 * pad))
        ImageDraw.Draw(image).text(
            (pad + phase / _PHASES, pad), character, fill=255, font=self._font, anchor="ls"
        )
        box = image.getbbox()
        return box and Glyph(np.asarray(image.crop(box)), box[0] - pad, box[1] - pad)

    def stamp(self, text: str, fraction: float = 0.0) -> Stamp | None:
        """Draw a text that starts `fraction` of a pixel right of its pen; None if nothing is to be seen."""
        placed: list[tuple[int, Glyph]] = []
        pen = fraction
        for i, character in enumerate(text):
            whole, phase = divmod(round(pen * _PHASES), _PHASES)
            try:
                glyph = self._glyphs[character, phase]
            except KeyError:
                glyph = self._glyphs[character, phase] = self._glyph(character, phase)
            if glyph:
                placed.append((whole + glyph.left, glyph))
            pen += self._advance(text[i : i + 2])
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
