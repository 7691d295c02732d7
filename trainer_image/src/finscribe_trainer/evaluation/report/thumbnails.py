"""Pages of documents, made small enough to stand inside a report."""

import base64
import io
from pathlib import Path

from PIL import Image

from finscribe_trainer.data.images import open_image

LONGEST_SIDE = 1000
"""Pixels: print can still be read, and a page takes about 100 kB."""


def data_uri(path: Path) -> str | None:
    """The image as a small JPEG in a data: URI; None when it can't be read on this machine.

    Results may come from another machine: what is at that path here need not be an image.
    """
    try:
        image = open_image(path)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=72, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
