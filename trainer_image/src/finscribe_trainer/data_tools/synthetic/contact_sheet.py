"""Draws a contact sheet: many synthetic pages in one image, to preview the options."""

import io
from pathlib import Path

from PIL import Image, ImageDraw

from finscribe_core.atomic_files import write_atomically
from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data_tools.synthetic.row import Choice, make_scan

COLUMNS = 6
ROWS = 4
_CELL = (300, 410)
_GAP = 12
_BACKGROUND = (74, 78, 84)


def write_contact_sheet(choice: Choice, count: int, path: Path) -> int:
    """Draw the first pages of a choice as one JPEG.

    Returns:
        the number of pages drawn: `count`, but at most COLUMNS x ROWS.

    Raises:
        UserError: InvalidConfig, the file can't be written.
    """
    count = min(count, COLUMNS * ROWS)
    width, height = min(count, COLUMNS), -(-count // COLUMNS)
    size = (width * (_CELL[0] + _GAP) + _GAP, height * (_CELL[1] + _GAP) + _GAP)
    sheet = Image.new("RGB", size, _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for index in range(count):
        scan = make_scan(choice, index)
        left = _GAP + (index % COLUMNS) * (_CELL[0] + _GAP)
        top = _GAP + (index // COLUMNS) * (_CELL[1] + _GAP)
        page = scan.page.image.convert("RGB")
        page.thumbnail((_CELL[0], _CELL[1] - 16), Image.Resampling.LANCZOS)
        sheet.paste(page, (left + (_CELL[0] - page.width) // 2, top + (_CELL[1] - 16 - page.height) // 2))
        caption = f"{index}  {scan.template}  {scan.locale}"
        draw.text((left + _CELL[0] / 2, top + _CELL[1]), caption, "white", anchor="mb", font_size=12)
    encoded = io.BytesIO()
    sheet.save(encoded, "JPEG", quality=72, optimize=True)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, encoded.getvalue())
    except OSError as error:
        raise UserError(
            FailureReason.InvalidConfig,
            f"{path} can't be written: {error.strerror}.",
            "Choose another --contact-sheet.",
        ) from error
    return count
