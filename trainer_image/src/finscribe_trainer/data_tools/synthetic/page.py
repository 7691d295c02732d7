"""A rendered page with the bounding boxes of its fields."""

from dataclasses import dataclass

from PIL import Image

from finscribe_trainer.data_tools.synthetic.layout import Box


@dataclass(frozen=True)
class Page:
    """A rendered page.

    Attributes:
        image: RGB.
        boxes: The bounding box of every visible field (left, top, right, bottom in pixels) by its path as in
            `documents/paths.leaves`, and of every line item as a whole ("line_items[0]").
    """

    image: Image.Image
    boxes: dict[str, Box]
