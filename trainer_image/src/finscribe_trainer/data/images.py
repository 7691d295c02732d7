"""Images of rows: found only below the data set's folder, and read to their end before training."""

import hashlib
import warnings
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
"""What is decoded, whatever a file is called: PostScript, for one, would be handed to another program."""
_ON_ITS_SIDE = (5, 6, 7, 8)
"""EXIF orientations of a camera that was held upright: width and height are each other's."""
_LONGEST = 200
"""Characters of a name that a message shows."""


class ImageError(ValueError):
    """An image can't be used; the message says why."""


def check_name(name: str) -> None:
    """Refuse a name that can lead out of the data set.

    Raises:
        ImageError: the name is absolute, an URL, or goes up.
    """
    path = PurePosixPath(name)
    if "://" in name or path.is_absolute() or "\\" in name or "\0" in name or ".." in path.parts:
        raise ImageError(
            f"image {name!r} must be a path relative to the rows' file, with forward slashes, without '..'"
        )


def object_names(names: Iterable[str]) -> list[str]:
    """The names below the data set's prefix that images have as objects, once each.

    A key is no path: "./a.png" and "a//b.png" would be other objects than "a.png" and "a/b.png".
    """
    return list(dict.fromkeys(str(PurePosixPath(name)) for name in names))


def resolve_image(root: Path, name: str) -> Path:
    """The file of an image named in a row.

    Raises:
        ImageError: the name leads out of `root` (a symbolic link may do so, too), or no file is there.
    """
    check_name(name)
    try:
        path = (root / name).resolve()
        is_file = path.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # too long, unpaired surrogate, a circle of links
        raise ImageError(f"image {_shortened(name)!r} can't be opened: {_reason(error)}") from None
    if not path.is_relative_to(root.resolve()):
        raise ImageError(f"image {name!r} leads out of the data set's folder")
    if not is_file:
        raise ImageError(f"image {name!r} does not exist")
    return path


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}..."


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "its name is none of a file"


def check_image(path: Path, name: str, max_pixels: int) -> tuple[tuple[int, int], str]:
    """Read an image to its end, its size first: nothing larger than `max_pixels` is ever decoded.

    Returns:
        (width, height) in pixels, as `open_image` turns it, and the file's SHA-256.

    Raises:
        ImageError: too large, of no known format, or damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit below is the user's
            with Image.open(path, formats=_FORMATS) as image:
                size = image.size
                if size[0] * size[1] > max_pixels:
                    raise ImageError(
                        f"image {name!r} has {size[0]} x {size[1]} pixels, more than maxImagePixels = "
                        f"{max_pixels}"
                    )
                image.draft("L", (size[0] // 8, size[1] // 8))  # JPEG: an eighth of the work, all of the file
                image.load()
                if image.getexif().get(ExifTags.Base.Orientation) in _ON_ITS_SIDE:
                    size = (size[1], size[0])
    except UnidentifiedImageError:
        raise ImageError(f"image {name!r} is of no known image format") from None
    except Image.DecompressionBombError as error:
        raise ImageError(f"image {name!r} is too large: {error}") from None
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(f"image {name!r} is damaged: {error}") from None
    with path.open("rb") as file:
        return size, hashlib.file_digest(file, "sha256").hexdigest()


def open_image(path: Path) -> Image.Image:
    """The image, decoded to RGB and upright: a phone says by EXIF how it was held, and processors that are
    given a path, as in inference, heed it.
    """
    with Image.open(path, formats=_FORMATS) as image:
        return ImageOps.exif_transpose(image).convert("RGB")
