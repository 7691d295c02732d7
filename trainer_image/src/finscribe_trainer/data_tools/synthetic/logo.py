"""Draws logos from simple shapes."""

from collections.abc import Callable

from PIL import Image, ImageDraw

from finscribe_trainer.data_tools.synthetic import fonts
from finscribe_trainer.data_tools.synthetic.layout import Canvas, Colour, tint

_OVERSAMPLING = 4
"""Oversampling factor for smooth edges."""
_Draw = ImageDraw.ImageDraw


def _ring(draw: _Draw, size: int, dark: Colour, light: Colour) -> None:
    draw.ellipse((0, 0, size - 1, size - 1), fill=dark)
    draw.ellipse((size * 0.2, size * 0.2, size * 0.8, size * 0.8), fill="white")
    draw.pieslice((size * 0.2, size * 0.2, size * 0.8, size * 0.8), 270, 90, fill=light)


def _squares(draw: _Draw, size: int, dark: Colour, light: Colour) -> None:
    draw.rectangle((0, 0, size * 0.64, size * 0.64), fill=light)
    draw.rectangle((size * 0.36, size * 0.36, size - 1, size - 1), fill=dark)


def _bars(draw: _Draw, size: int, dark: Colour, light: Colour) -> None:
    for i, height in enumerate((0.45, 0.7, 1.0)):
        left = size * 0.36 * i
        draw.rectangle(
            (left, size * (1 - height), left + size * 0.27, size - 1), fill=dark if i % 2 else light
        )


def _peaks(draw: _Draw, size: int, dark: Colour, light: Colour) -> None:
    draw.polygon([(size * 0.3, size * 0.25), (size * 0.75, size - 1), (0, size - 1)], fill=light)
    draw.polygon([(size * 0.62, 0), (size - 1, size - 1), (size * 0.25, size - 1)], fill=dark)


def _hexagon(draw: _Draw, size: int, dark: Colour, light: Colour) -> None:
    middle = (size / 2, size / 2)
    draw.regular_polygon((middle, size / 2), 6, fill=dark, rotation=30)
    draw.regular_polygon((middle, size / 4), 6, fill=light, rotation=30)


def _quarters(draw: _Draw, size: int, dark: Colour, light: Colour) -> None:
    draw.pieslice((-size, 0, size - 1, 2 * size), 270, 360, fill=light)
    draw.pieslice((0, 0, 2 * size, 2 * size), 180, 270, fill=dark)


def _stripes(draw: _Draw, size: int, dark: Colour, light: Colour) -> None:
    for i in range(3):
        x = size * 0.26 * i
        draw.polygon(
            [(x, size - 1), (x + size * 0.26, 0), (x + size * 0.48, 0), (x + size * 0.22, size - 1)],
            fill=light if i == 1 else dark,
        )


_SHAPES: tuple[Callable[[_Draw, int, Colour, Colour], None], ...] = (
    _ring,
    _squares,
    _bars,
    _peaks,
    _hexagon,
    _quarters,
    _stripes,
)


def draw_logo(page: Canvas, x: int, y: int, size: int, colour: Colour, name: str) -> None:
    """Draw a logo of `size` pixels with its upper left corner at (x, y): a shape, or the name's initials."""
    large = size * _OVERSAMPLING
    image = Image.new("RGB", (large, large), "white")
    draw = ImageDraw.Draw(image)
    kind = page.rng.randrange(len(_SHAPES) + 2)
    if kind < len(_SHAPES):
        _SHAPES[kind](draw, large, colour, tint(colour, 0.45))
    elif kind == len(_SHAPES):
        draw.rounded_rectangle((0, 0, large - 1, large - 1), large // 5, fill=colour)
    else:
        draw.ellipse((0, 0, large - 1, large - 1), fill=colour)
    page.image.paste(image.resize((size, size), Image.Resampling.BOX), (x, y))
    if kind >= len(_SHAPES):
        initials = "".join(word[0] for word in name.split() if word[0].isalpha())[:2].upper() or "A"
        stamp = fonts.face(page.family, "bold", round(size * 0.45)).render(initials)
        assert stamp is not None, "letters have ink"
        height, width = stamp.mask.shape
        place = (x + (size - width) // 2, y + (size - height) // 2)
        page.image.paste(
            (255, 255, 255), (*place, place[0] + width, place[1] + height), Image.fromarray(stamp.mask)
        )
