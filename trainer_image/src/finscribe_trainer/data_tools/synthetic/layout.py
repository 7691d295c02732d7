"""The canvas: draws text and shapes on a page and records the bounding box of every field."""

import random
from collections.abc import Iterable
from typing import Literal

from PIL import Image, ImageDraw

from finscribe_trainer.data_tools.synthetic import fonts
from finscribe_trainer.data_tools.synthetic.fonts import Face, TextMask
from finscribe_trainer.data_tools.synthetic.text_runs import Line, TextRun, plain

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are exclusive."""
Colour = tuple[int, int, int]
Align = Literal["left", "right", "center"]
BLACK: Colour = (24, 24, 28)
GREY: Colour = (104, 106, 112)
RULE: Colour = (190, 192, 198)
WHITE: Colour = (255, 255, 255)


class PageFullError(Exception):
    """The content does not fit on the page at this font size."""


def tint(colour: Colour, share: float) -> Colour:
    """A colour blended with white; a `share` of 1 is the colour itself."""
    return tuple(round(255 - (255 - c) * share) for c in colour)  # type: ignore[return-value]  # three of three


def union(a: Box, b: Box) -> Box:
    """The bounding box of two boxes."""
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


class Canvas:
    """A page being drawn. Coordinates are pixels from the upper left; `y` of a text is its line's top.

    Attributes:
        boxes: The bounding box of every field drawn so far.
        floor: Lower limit of the body, above the footer.
        rng: Source of all variation.
        type_size: Font size of the body, in pixels.
    """

    def __init__(self, size: tuple[int, int], family: str, type_size: float, rng: random.Random) -> None:
        self.image = Image.new("RGB", size, WHITE)
        self.shapes = ImageDraw.Draw(self.image)
        self.width, self.height = size
        self.floor = self.height
        self.family, self.type_size, self.rng = family, type_size, rng
        self.boxes: dict[str, Box] = {}

    @property
    def inset(self) -> int:
        """Horizontal padding of table cells, in pixels."""
        return max(3, round(self.type_size * 0.45))

    def face(self, scale: float = 1.0, weight: str = "regular") -> Face:
        """A face with a size relative to the body's."""
        return fonts.face(self.family, weight, max(8, round(self.type_size * scale)))

    def fitting(self, line: Line | str, width: float, size: float, weight: str = "bold") -> Face:
        """The largest face up to `size` pixels in which a line is at most `width` pixels wide."""
        while (face := fonts.face(self.family, weight, size)) and size > 8:
            if self.width_of(line, face) <= width:
                break
            size -= 1
        return face

    def width_of(self, line: Line | str, face: Face) -> float:
        """Width of a line in pixels."""
        if isinstance(line, str):
            return face.width(line)
        return sum(self._of(run, face).width(run.text) for run in line)

    def _of(self, run: TextRun, face: Face) -> Face:
        return face.other(run.weight) if run.weight else face

    def text(  # noqa: PLR0913 - what a text has
        self,
        x: float,
        y: float,
        line: Line | str,
        face: Face,
        *,
        align: Align = "left",
        ink: Colour = BLACK,
        on: Face | None = None,
    ) -> float:
        """Draw a line of text.

        Args:
            x: Left edge, right edge or centre, depending on `align`.
            y: Top of the line.
            line: Text runs, or a text without a field.
            face: Font.
            align: Meaning of `x`.
            ink: Colour.
            on: Larger face in the same line, whose baseline is used.

        Returns:
            The x at which the next run would start.

        Raises:
            PageFullError: the text leaves the page or reaches the footer.
        """
        runs = plain(line) if isinstance(line, str) else line
        if align != "left":
            x -= self.width_of(runs, face) / (1 if align == "right" else 2)
        base = round(y) + (on or face).ascent
        field_end = -1
        for run in runs:
            own = self._of(run, face)
            stamp = own.render(run.text, x % 1)
            if stamp:
                left = int(x // 1) + stamp.left
                if run.path and left < field_end:  # boxes of adjacent fields must not overlap
                    x, left = x + field_end - left, field_end
                end = self._paste(run, stamp, left, base + stamp.top, ink)
                field_end = end if run.path else field_end
            x += own.width(run.text)
        return x

    def _paste(self, run: TextRun, stamp: TextMask, left: int, top: int, ink: Colour) -> int:
        """Paste a rendered run on the page; returns its right edge."""
        right, bottom = left + int(stamp.mask.shape[1]), top + int(stamp.mask.shape[0])
        box = (left, top, right, bottom)
        if left < 2 or right > self.width - 2 or top < 0 or bottom > self.floor:
            raise PageFullError(run.text)
        self.image.paste(ink, box, Image.fromarray(stamp.mask))
        if run.path:
            self.mark(run.path, box)
        return right

    def mark(self, path: str, box: Box) -> None:
        """Record the box of a field; for a field of several runs, their bounding box."""
        old = self.boxes.get(path)
        self.boxes[path] = union(old, box) if old else box

    def lines(
        self,
        x: float,
        y: float,
        lines: Iterable[Line | str],
        face: Face,
        *,
        align: Align = "left",
        ink: Colour = BLACK,
    ) -> float:
        """Draw lines below each other; returns the y below them."""
        for line in lines:
            self.text(x, y, line, face, align=align, ink=ink)
            y += face.line
        return y

    def fill(self, box: tuple[float, float, float, float], colour: Colour) -> None:
        """Fill a rectangle; right and bottom are exclusive."""
        left, top, right, bottom = map(round, box)
        self.shapes.rectangle((left, top, right - 1, bottom - 1), fill=colour)

    def frame(self, box: tuple[float, float, float, float], colour: Colour = BLACK, width: int = 1) -> None:
        """Draw the border of a rectangle."""
        left, top, right, bottom = map(round, box)
        self.shapes.rectangle((left, top, right - 1, bottom - 1), outline=colour, width=width)

    def rule(self, left: float, right: float, y: float, colour: Colour = RULE, width: int = 1) -> None:
        """Draw a horizontal rule with its top at `y`."""
        self.fill((left, y, right, round(y) + width), colour)

    def upright(self, x: float, top: float, bottom: float, colour: Colour = RULE) -> None:
        """Draw a vertical rule, one pixel wide."""
        self.fill((x, top, round(x) + 1, bottom), colour)
