"""Validates the images of rows in a thread pool: decoding releases the GIL."""

import os
from collections.abc import Iterable
from concurrent.futures import wait
from dataclasses import dataclass
from threading import Event
from typing import Self

from finscribe_trainer.data.file_texts import how_to_convert
from finscribe_trainer.data.image_folders import ImageError, ImageFolders
from finscribe_trainer.data.images import check_image
from finscribe_trainer.data.table_images import ImageFile
from finscribe_trainer.runtime.stop_signal import StopRequested
from finscribe_trainer.storage.thread_pool import DaemonThreadPool

_POLL_SECONDS = 0.2
"""How often the stop event is checked."""


@dataclass(frozen=True)
class CheckedImage:
    """A valid image."""

    path: ImageFile
    published_name: str
    """See `ImageFolders.published_name`."""
    size: tuple[int, int]
    """Width and height in pixels."""
    sha256: str


class ImageCheck:
    """Decodes images completely. An image that takes long to decode does not delay the end of the process.

    Args:
        folders: where the images are.
        max_pixels: an image with more is rejected.
        stop: where a requested stop raises no exception by itself: the event that requests it.
    """

    def __init__(self, folders: ImageFolders, max_pixels: int, stop: Event | None = None) -> None:
        self._folders = folders
        self._max_pixels = max_pixels
        self._stop = stop or Event()
        self._pool = DaemonThreadPool(min(8, os.cpu_count() or 1))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def check(self, names: Iterable[str]) -> dict[str, CheckedImage | ImageError]:
        """Check each distinct image once; the result by name.

        Raises:
            StopRequested: `stop` was set.
        """
        results = {name: self._pool.submit(self._check, name) for name in dict.fromkeys(names)}
        try:
            for future in results.values():
                while not wait([future], timeout=_POLL_SECONDS).done:
                    if self._stop.is_set():
                        raise StopRequested
        finally:
            for future in results.values():
                future.cancel()
        return {name: future.result() for name, future in results.items()}

    def _check(self, name: str) -> CheckedImage | ImageError:
        try:
            path = self._folders.find(name)
        except ImageError as problem:
            return ImageError(f"{problem}{how_to_convert(name)}")
        try:
            published_name = self._folders.published_name(name, path)
            return CheckedImage(path, published_name, *check_image(path, name, self._max_pixels))
        except ImageError as problem:
            return problem
