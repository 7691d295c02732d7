"""Converts images of every mode to RGB: transparency becomes white, and deep greys are scaled to 8 bits."""

from typing import Any

import numpy as np
from PIL import Image

_DEPTHS = (8, 10, 12, 14, 16, 24, 31, 32)
"""Bits per pixel of scanners, cameras and signed integers; 12 bits are often stored in 16, unscaled."""
_MAX_FRACTION = 2.0
"""Largest value of a float image whose white is 1: resampling may exceed 1 by a little."""
_MAX_NEGATIVE = 0.1
"""Share of white that values may be below 0, as resampling leaves them; they become black."""
_PHOTOMETRIC_INTERPRETATION, _WHITE_IS_ZERO = 262, 0
"""TIFF 6.0, section 8."""


class PixelError(ValueError):
    """Pixel values can't be converted to RGB; the message completes "the image ..."."""


def check_pixels(image: Image.Image) -> None:
    """Check that `to_rgb` can convert a loaded image.

    Raises:
        PixelError: the colour space is LAB, or a grey has values that no shade stands for.
    """
    if image.mode == "LAB":
        raise PixelError("is in the colour space LAB; save it as RGB")
    if _is_deep_grey(image):
        _white(np.asarray(image))


def is_white_zero(image: Image.Image) -> bool:
    """Whether an opened TIFF stores white as 0, which Pillow inverts for up to 8 bits only."""
    tags: dict[int, Any] = getattr(image, "tag_v2", {})
    return tags.get(_PHOTOMETRIC_INTERPRETATION) == _WHITE_IS_ZERO


def to_rgb(image: Image.Image, *, white_is_zero: bool = False) -> Image.Image:
    """The image as it is seen on white paper, as RGB.

    Greys of more than 8 bits are divided by the least usual depth (`_DEPTHS`) that holds
    all of their values; floats by 1 if none is above 2.

    Args:
        image: an image of any mode.
        white_is_zero: see `is_white_zero`; without effect on images of up to 8 bits.

    Raises:
        PixelError: see `check_pixels`.
    """
    if _is_deep_grey(image):
        return _deep_grey_to_rgb(image, white_is_zero=white_is_zero)
    if image.has_transparency_data:
        page = Image.new("RGBA", image.size, "white")
        page.alpha_composite(image.convert("RGBA"))
        return page.convert("RGB")
    return image.convert("RGB")


def _is_deep_grey(image: Image.Image) -> bool:
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def _deep_grey_to_rgb(image: Image.Image, *, white_is_zero: bool) -> Image.Image:
    values = np.asarray(image)
    grey = np.clip(values.astype(np.float32) * (255 / _white(values)) + 0.5, 0, 255).astype(np.uint8)
    if white_is_zero:
        grey = 255 - grey
    if isinstance(transparent := image.info.get("transparency"), int):  # PNG: one value is transparent
        grey[values == transparent] = 255
    return Image.fromarray(grey).convert("RGB")


def _white(values: "np.ndarray[Any, Any]") -> float:
    """The value that stands for white, by the largest value (height, width) of a grey image.

    Raises:
        PixelError: a value is not finite, too large, or far below 0.
    """
    lowest, highest = float(values.min()), float(values.max())
    if not np.isfinite(lowest + highest):
        raise PixelError("has pixels that are no finite numbers; save it with 8 bits per pixel")
    if values.dtype.kind == "f" and highest <= _MAX_FRACTION:
        white = 1.0
    else:
        white = next((2.0**bits - 1 for bits in _DEPTHS if highest < 2**bits), 0.0)
    if not white or lowest < -_MAX_NEGATIVE * white:
        raise PixelError(
            f"has pixel values from {lowest:g} to {highest:g}, for which no white is defined; save it with 8 "
            "bits per pixel"
        )
    return white
