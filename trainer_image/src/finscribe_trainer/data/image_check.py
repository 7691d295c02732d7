"""Validates the images of rows in a thread pool: decoding releases the GIL."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from finscribe_trainer.data.file_texts import how_to_convert
from finscribe_trainer.data.images import ImageError, check_image, resolve_image


@dataclass(frozen=True)
class CheckedImage:
    """A valid image."""

    path: Path
    size: tuple[int, int]
    """Width and height in pixels."""
    sha256: str


class ImageCheck:
    """Decodes images completely.

    Args:
        root: the folder that image paths are relative to.
        max_pixels: an image with more is rejected.
    """

    def __init__(self, root: Path, max_pixels: int) -> None:
        self._root = root
        self._max_pixels = max_pixels
        self._pool = ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def check(self, names: Iterable[str]) -> dict[str, CheckedImage | ImageError]:
        """Check each distinct image once; the result by name."""
        distinct = list(dict.fromkeys(names))
        return dict(zip(distinct, self._pool.map(self._check, distinct), strict=True))

    def _check(self, name: str) -> CheckedImage | ImageError:
        try:
            path = resolve_image(self._root, name)
            return CheckedImage(path, *check_image(path, name, self._max_pixels))
        except ImageError as problem:
            return ImageError(f"{problem}{how_to_convert(name)}")
