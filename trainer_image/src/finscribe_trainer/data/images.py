"""Locates, validates and opens the images of rows; images must be inside the data set's folder."""

import hashlib
import warnings
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
"""Formats that are decoded, whatever the suffix: Pillow would run an external program for PostScript."""
_ROTATED_90 = (5, 6, 7, 8)
"""EXIF orientations with a rotation by 90 degrees, where width and height are swapped."""
_LONGEST = 200
"""Longest name in a message, in characters."""


class ImageError(ValueError):
    """An image can't be used; the message says why."""


def check_name(name: str) -> None:
    """Reject a name that could point outside the data set's folder.

    Raises:
        ImageError: the name is an absolute path, a URL, or contains "..".
    """
    path = PurePosixPath(name)
    if "://" in name or path.is_absolute() or "\\" in name or "\0" in name or ".." in path.parts:
        raise ImageError(
            f"image {name!r} must be a path relative to the rows' file, with forward slashes, without '..'"
        )


def object_names(names: Iterable[str]) -> list[str]:
    """The distinct object names of images below the data set's prefix.

    Paths are normalized, since keys are not paths: "./a.png" and "a.png" would be different objects.
    """
    return list(dict.fromkeys(str(PurePosixPath(name)) for name in names))


def resolve_image(root: Path, name: str) -> Path:
    """The file of an image named in a row.

    Raises:
        ImageError: the name points outside `root` (also through a symbolic link), or there is no such file.
    """
    check_name(name)
    try:
        path = (root / name).resolve()
        is_file = path.is_file()
    except (
        OSError,
        ValueError,
        RuntimeError,
    ) as error:  # too long, unpaired surrogate, a loop of symbolic links
        raise ImageError(f"image {_truncate(name)!r} can't be opened: {_reason(error)}") from None
    if not path.is_relative_to(root.resolve()):
        raise ImageError(f"image {name!r} is outside the data set's folder")
    if not is_file:
        raise ImageError(f"image {name!r} does not exist")
    return path


def _truncate(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}..."


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not a valid file name"


def check_image(path: Path, name: str, max_pixels: int) -> tuple[tuple[int, int], str]:
    """Decode an image completely; its size is checked first, so that nothing above `max_pixels` is decoded.

    Returns:
        (width, height) in pixels after EXIF rotation, and the file's SHA-256.

    Raises:
        ImageError: too large, of no known format, or damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", Image.DecompressionBombWarning
            )  # max_pixels is the user's own limit
            with Image.open(path, formats=_FORMATS) as image:
                size = image.size
                if size[0] * size[1] > max_pixels:
                    raise ImageError(
                        f"image {name!r} has {size[0]} x {size[1]} pixels, more than maxImagePixels = "
                        f"{max_pixels}"
                    )
                image.draft(
                    "L", (size[0] // 8, size[1] // 8)
                )  # reads a whole JPEG at an eighth of the decoding work
                image.load()
                if image.getexif().get(ExifTags.Base.Orientation) in _ROTATED_90:
                    size = (size[1], size[0])
    except UnidentifiedImageError:
        raise ImageError(f"image {name!r} is not in a supported image format") from None
    except Image.DecompressionBombError as error:
        raise ImageError(f"image {name!r} is too large: {error}") from None
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(f"image {name!r} is damaged: {error}") from None
    with path.open("rb") as file:
        return size, hashlib.file_digest(file, "sha256").hexdigest()


def open_image(path: Path) -> Image.Image:
    """Decode an image to RGB and apply its EXIF rotation, as processors do at inference."""
    with Image.open(path, formats=_FORMATS) as image:
        return ImageOps.exif_transpose(image).convert("RGB")
