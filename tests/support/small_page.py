"""Draws clean pages that `finscribe/tiny-ocr-vl` reads."""

from PIL import Image

from finscribe_trainer.data_tools.small_pages.drawing import character_indices, to_image
from finscribe_trainer.data_tools.small_pages.glyphs import FACES, SHIFTS, atlas

_FACE = FACES.index(("mono", "bold", 22))
_VARIANT = _FACE * len(SHIFTS) + SHIFTS.index((0, 0))


def draw_page(*lines: str) -> Image.Image:
    """Black text on white, a character in each cell."""
    columns = 2 * ((max(map(len, lines)) + 1) // 2)
    [indices] = character_indices([[list(line.ljust(columns)) for line in lines]])
    cells = (255 - atlas()[_VARIANT, indices]).reshape(len(lines), columns, 2, 14, 14)
    patches = cells.transpose(0, 2, 1, 3, 4).reshape(2 * len(lines), columns, 14, 14)
    return to_image(patches)
