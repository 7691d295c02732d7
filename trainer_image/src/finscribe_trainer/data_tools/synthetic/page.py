"""A drawn page with the places of its fields."""

from dataclasses import dataclass

from PIL import Image

from finscribe_trainer.data_tools.synthetic.layout import Box


@dataclass(frozen=True)
class Page:
    """What a template makes of a document.

    Attributes:
        image: RGB.
        boxes: The ink of every field on it (left, top, right, bottom in pixels), by the paths of
            `documents/paths.leaves`, and of every line as a whole ("line_items[0]"). A field that the
            template does not show has none.
    """

    image: Image.Image
    boxes: dict[str, Box]
