"""Makes small JPEG files of document pages, for reports and the web view."""

import base64
import io
from dataclasses import dataclass

from PIL import Image

from finscribe_trainer.data.images import open_image
from finscribe_trainer.data.table_images import ImageFile

READABLE_PIXELS = 1000
"""Length of a page's longer side at which text stays legible; a page takes about 100 kB."""


@dataclass(frozen=True)
class PageImage:
    """A page for a browser."""

    jpeg: bytes
    width: int
    """Of the original, in pixels, to which boxes refer."""
    height: int

    @property
    def uri(self) -> str:
        """As a data: URI."""
        return f"data:image/jpeg;base64,{base64.b64encode(self.jpeg).decode()}"


def page_image(path: ImageFile | None, pixels: int = READABLE_PIXELS, quality: int = 72) -> PageImage | None:
    """The image as a small JPEG; None if it can't be read.

    Args:
        path: the page; None if it is not on this machine.
        pixels: length of the longer side.
        quality: of the JPEG, from 1 to 95.
    """
    if path is None:
        return None
    try:
        image = open_image(path)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    width, height = image.size
    image.thumbnail((pixels, pixels))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, optimize=True)
    return PageImage(file.getvalue(), width, height)
