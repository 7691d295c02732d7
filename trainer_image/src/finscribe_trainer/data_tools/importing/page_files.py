"""Puts the pages of imported documents below the output folder."""

import shutil
import tempfile
from pathlib import Path, PurePosixPath
from typing import Self

from finscribe_core.atomic_files import atomic_path
from finscribe_trainer.data.document_pages import PageOptions
from finscribe_trainer.data.image_folders import ImageError, check_name
from finscribe_trainer.data.page_process import PageProcess
from finscribe_trainer.data_tools.importing.source import EmbeddedImage, Source

_SUFFIXES = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"RIFF": ".webp", b"BM": ".bmp", b"%PDF": ".pdf"}
"""Suffixes by the first bytes; anything else is a TIFF or is refused when it is read."""


class PageFiles:
    """Writes each file of the source once.

    Args:
        source: where the documents are.
        output: the folder of the rows.
        folder: the name of the pages' folder in it.
        options: how documents are read.
    """

    def __init__(self, source: Source, output: Path, folder: str, options: PageOptions) -> None:
        self._source = source
        self._output = output
        self._folder = folder
        self._process = PageProcess(options)
        self._written: dict[Path, list[str] | ImageError] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.__exit__()

    def write(self, page: Path | EmbeddedImage) -> list[str]:
        """The images of a document's file: their names relative to the output folder.

        Raises:
            ImageError: the file can't be read, or not all of its pages.
        """
        if isinstance(page, EmbeddedImage):
            return self._write_embedded(page)
        if page not in self._written:
            try:
                self._written[page] = self._write(page, self._source.name(page))
            except ImageError as error:
                self._written[page] = error
        result = self._written[page]
        if isinstance(result, ImageError):
            raise result
        return result

    def text_layer(self, page: Path | EmbeddedImage) -> str:
        """The text of a document's file, if it is a PDF with one.

        Raises:
            ImageError: the file can't be read.
        """
        return "" if isinstance(page, EmbeddedImage) else self._process.text_layer(page.resolve())

    def _write_embedded(self, image: EmbeddedImage) -> list[str]:
        suffix = next(
            (suffix for magic, suffix in _SUFFIXES.items() if image.content.startswith(magic)), ".tif"
        )
        with tempfile.TemporaryDirectory(dir=self._output, prefix=".unfinished-") as folder:
            path = Path(folder, f"{image.name}{suffix}")
            path.write_bytes(image.content)
            return self._write(path, path.name)

    def _write(self, path: Path, name: str) -> list[str]:
        check_name(name)
        target = self._output / self._folder / PurePosixPath(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        pages = self._process.write(path.resolve(), target)
        if not pages:
            _link(path.resolve(), target)
            pages = [target]
        return [page.relative_to(self._output).as_posix() for page in pages]


def _link(source: Path, target: Path) -> None:
    """Hard-link an image, or copy it where that is not possible."""
    target.unlink(missing_ok=True)  # of an attempt that was stopped
    try:
        target.hardlink_to(source)
    except OSError:
        with atomic_path(target) as part:
            shutil.copyfile(source, part)
