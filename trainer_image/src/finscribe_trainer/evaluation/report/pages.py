"""Finds the page images of documents on this machine, by the names that results have for them."""

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.image_folders import Folder, ImageError, ImageFolders
from finscribe_trainer.data.table_images import ImageFile
from finscribe_trainer.evaluation.results import Results
from finscribe_trainer.evaluation.test_set import download_folder
from finscribe_trainer.storage.uri import is_s3_uri

Pages = Mapping[str, ImageFile]
"""The file of each page that is on this machine, by its name in the results."""


def pages_of(examples: Iterable[Example]) -> Pages:
    """The pages of a loaded test set."""
    return {
        name: path
        for example in examples
        for name, path in zip(example.image_names, example.images, strict=True)
    }


def find_pages(results: Results, file: Path, image_root: str | None) -> Pages:
    """The pages of a results file: they may be missing, since it may come from another machine.

    Args:
        results: its content.
        file: the file; what `finscribe evaluate` downloaded is beside it.
        image_root: a local folder that the images may be in.
    """
    root = None if image_root is None or is_s3_uri(image_root) else Folder(image_root, Path(image_root))
    folders = ImageFolders(_rows_folder(results.data.source, file), root)
    pages = {}
    for name in dict.fromkeys(name for document in results.documents for name in document.images):
        with contextlib.suppress(ImageError):
            pages[name] = folders.find(name)
    return pages


def _rows_folder(source: str, file: Path) -> Folder:
    """The folder of the rows that were evaluated, which results name images relative to."""
    if is_s3_uri(source):
        prefix = source.rstrip("/") if source.endswith("/") else source.rpartition("/")[0]
        return Folder(prefix, download_folder(file) / "rows")
    path = Path(source).expanduser()
    folder = path if path.is_dir() else path.parent
    return Folder(str(folder), folder)
