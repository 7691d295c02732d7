"""Validates and opens the images of rows."""

import hashlib
import warnings

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from finscribe_trainer.data.file_formats import describe_file
from finscribe_trainer.data.file_texts import how_to_convert
from finscribe_trainer.data.image_folders import ImageError
from finscribe_trainer.data.image_pixels import PixelError, check_pixels, is_white_zero, to_rgb
from finscribe_trainer.data.jpeg_scans import MAX_SCANS, has_too_many_scans
from finscribe_trainer.data.table_images import ImageFile, readable

_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
"""Formats that are decoded, whatever the suffix: Pillow would run an external program for PostScript."""
_ROTATED_90 = (5, 6, 7, 8)
"""EXIF orientations with a rotation by 90 degrees, where width and height are swapped."""
_MAX_ASPECT_RATIO = 200
"""Longer strips are rejected by the image processor of PaddleOCR-VL."""
_MIN_SIDE = 4
"""Nothing can be read on fewer pixels, and image processors take a side of 1 or 3 for color channels."""
_MAX_COUNTED_PAGES = 1000


def check_image(path: ImageFile, name: str, max_pixels: int) -> tuple[tuple[int, int], str]:
    """Decode an image completely; its size is checked first, so that nothing above `max_pixels` is decoded.

    Returns:
        (width, height) in pixels after EXIF rotation, and the file's SHA-256.

    Raises:
        ImageError: too large, of an impossible shape, of several pages, of no known format, or damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", Image.DecompressionBombWarning
            )  # max_pixels is the user's own limit
            with Image.open(readable(path), formats=_FORMATS) as image:
                size = image.size
                _check_header(image, path, name, max_pixels)
                image.draft(
                    "L", (size[0] // 8, size[1] // 8)
                )  # reads a whole JPEG at an eighth of the decoding work
                image.load()
                check_pixels(image)
                if image.getexif().get(ExifTags.Base.Orientation) in _ROTATED_90:
                    size = (size[1], size[0])
    except UnidentifiedImageError:
        raise ImageError(_unsupported(path, name)) from None
    except Image.DecompressionBombError as error:
        raise ImageError(f"image {name!r} is too large: {error}") from None
    except PixelError as error:
        raise ImageError(f"image {name!r} {error}") from None
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(f"image {name!r} is damaged: {error}") from None
    return size, hash_image(path)


def hash_image(path: ImageFile) -> str:
    """SHA-256 of an image's file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_image(path: ImageFile) -> Image.Image:
    """Decode an image to RGB as it is seen on white paper, with its EXIF rotation.

    Raises:
        PixelError: `check_image` would reject it.
    """
    with Image.open(readable(path), formats=_FORMATS) as image:
        return to_rgb(ImageOps.exif_transpose(image), white_is_zero=is_white_zero(image))


def check_shape(size: tuple[int, int], what: str, max_pixels: int) -> None:
    """Check width and height, before anything is decoded.

    Raises:
        ImageError: too large, too small, or too narrow.
    """
    width, height = size
    short, long = sorted(size)
    shape = f"{what} has {width} x {height} pixels"
    if width * height > max_pixels:
        raise ImageError(f"{shape}, more than max_image_pixels = {max_pixels}")
    if short < _MIN_SIDE:
        raise ImageError(f"{shape}, but each side must have at least {_MIN_SIDE}")
    if long > _MAX_ASPECT_RATIO * short:
        raise ImageError(
            f"{shape}, but one side may be at most {_MAX_ASPECT_RATIO} times the other; cut it into pages"
        )


def _check_header(image: Image.Image, path: ImageFile, name: str, max_pixels: int) -> None:
    """Check what is known before the pixels are decoded.

    Raises:
        ImageError: the image can't be used, or would take too long to decode.
    """
    check_shape(image.size, f"image {name!r}", max_pixels)
    if getattr(image, "is_animated", False) and image.format != "MPO":
        raise ImageError(
            f"image {name!r} contains {_count_pages(image)} pages (frames), of which only the first would be "
            "read; run `finscribe data import IN OUT`, which writes each page to a file of its own, or name "
            "all of them in `images`"
        )
    if image.format in ("JPEG", "MPO") and has_too_many_scans(path):
        raise ImageError(
            f"image {name!r} is a JPEG of more than {MAX_SCANS} scans, which takes too long to decode; save "
            "it again, not progressive"
        )


def _count_pages(image: Image.Image) -> str:
    """The number of pages: for a TIFF each has to be searched for, and a file of 1 MB can chain 100,000."""
    for page in range(1, _MAX_COUNTED_PAGES):
        try:
            image.seek(page)
        except EOFError:
            return str(page)
    return f"more than {_MAX_COUNTED_PAGES}"


def _unsupported(path: ImageFile, name: str) -> str:
    described = describe_file(path)
    if described is None:
        formats = ", ".join(_FORMATS)
        return f"image {name!r} is not in a supported image format ({formats}){how_to_convert(name)}"
    kind, remedy = described
    return f"image {name!r} is {kind}, but supported are {', '.join(_FORMATS)}: {remedy}"
