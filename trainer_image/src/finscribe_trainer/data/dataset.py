"""Loads and validates a data set completely, before the model is loaded."""

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data.image_check import CheckedImage, ImageCheck
from finscribe_trainer.data.image_folders import ImageError, ImageFolders
from finscribe_trainer.data.row_problems import RowProblems
from finscribe_trainer.data.row_reader import read_rows
from finscribe_trainer.data.rows import Row
from finscribe_trainer.data.table_images import ImageFile

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Example:
    """A validated row."""

    row: Row
    where: str
    """`file:line`."""
    images: tuple[ImageFile, ...] = ()
    sizes: tuple[tuple[int, int], ...] = ()
    """(width, height) of each image in pixels."""
    image_hashes: tuple[str, ...] = ()
    """SHA-256 of each image's file."""
    image_names: tuple[str, ...] = ()
    """The images' names in published results: without the paths of this machine."""


@dataclass(frozen=True)
class Dataset:
    """All examples, in the order of the file or shards."""

    examples: list[Example]
    fingerprint: str
    """SHA-256 of the rows' files and all images they name."""


def load_dataset(file: DataFile, max_image_pixels: int) -> Dataset:
    """Read and validate every row and every image.

    Raises:
        UserError: DatasetNotFound when the file or folder does not exist; DatasetInvalid with the problems
            found, or when there are no rows.
    """
    problems = RowProblems()
    rows = list(read_rows(file, problems))
    checked = _check_images(file.images, rows, max_image_pixels, problems)
    problems.raise_if_any()
    if not rows:
        raise UserError(
            FailureReason.DatasetInvalid, f"{file.source}: there are no rows.", "Write one row per line."
        )
    examples = [
        Example(
            row,
            where,
            tuple(checked[name].path for name in row.images),
            tuple(checked[name].size for name in row.images),
            tuple(checked[name].sha256 for name in row.images),
            tuple(checked[name].published_name for name in row.images),
        )
        for where, row in rows
    ]
    digest = _hash_shards(file)
    for name in sorted(checked):
        digest.update(f"\n{name} {checked[name].sha256}".encode())
    return Dataset(examples, digest.hexdigest())


def image_names(file: DataFile) -> list[str]:
    """The distinct names of all images in the valid rows, for a caller that downloads them."""
    return list(dict.fromkeys(name for _, row in read_rows(file, RowProblems()) for name in row.images))


def _check_images(
    folders: ImageFolders, rows: Iterable[tuple[str, Row]], max_pixels: int, problems: RowProblems
) -> dict[str, CheckedImage]:
    """Validate each distinct image once; problems are reported at the first row that names it."""
    first_use: dict[str, str] = {}
    for where, row in rows:
        for name in row.images:
            first_use.setdefault(name, where)

    checked = {}
    with ImageCheck(folders, max_pixels) as images:
        for name, result in images.check(first_use).items():
            if isinstance(result, ImageError):
                problems.add(first_use[name], str(result))
            else:
                checked[name] = result
    return checked


def _hash_shards(file: DataFile) -> "hashlib._Hash":
    """SHA-256 of the bytes of all shards, in order."""
    digest = hashlib.sha256()
    for shard in file.shards():
        with shard.path.open("rb") as content:
            hashlib.file_digest(content, lambda: digest)
    return digest
