"""Draws a contact sheet of training rows: each original page and its first augmented views."""

import contextlib
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.batches.augmentation.augment import Augmentation, augment_example
from finscribe_trainer.batches.augmentation.boxes import find_boxes
from finscribe_trainer.batches.augmentation.geometry import transform_of
from finscribe_trainer.batches.augmentation.pixels import augment_image
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.fetch import fetch_rows
from finscribe_trainer.data.files import DataFile
from finscribe_trainer.data.hold_out import hold_out
from finscribe_trainer.data.image_check import ImageCheck
from finscribe_trainer.data.image_folders import ImageError, ImageFolders
from finscribe_trainer.data.images import hash_image, open_image
from finscribe_trainer.data.row_problems import RowProblems
from finscribe_trainer.data.row_reader import read_rows
from finscribe_trainer.data.rows import Row
from finscribe_trainer.data_tools.contact_sheet.cell import HEIGHT, WIDTH, busiest_point, describe, draw_cell
from finscribe_trainer.runtime.progress import progress
from finscribe_trainer.storage import Storage

_GAP = 14
_BACKGROUND = (58, 62, 68)


def draw_contact_sheet(config: TrainerConfig, num_rows: int, num_views: int) -> Image.Image:
    """Draw one line per row: the original page, then its views. The rows are evenly spaced over the data set.

    Args:
        config: a training config; `augmentation.enabled` need not be true.
        num_rows: largest number of rows with an image.
        num_views: views of each page, starting with the first epoch.

    Raises:
        UserError: DatasetNotFound, DatasetInvalid.
    """
    augmentation = Augmentation(config.augmentation, config.training.seed)
    with tempfile.TemporaryDirectory(prefix="finscribe-contact-sheet-") as folder:
        storage = Storage.from_config(config.storage)
        file = fetch_rows(config.dataset_path, Path(folder) / "rows", storage, config.image_root)
        rows = _chosen_rows(config, file, num_rows)
        size = ((num_views + 1) * (WIDTH + _GAP) + _GAP, len(rows) * (HEIGHT + _GAP) + _GAP)
        sheet = Image.new("RGB", size, _BACKGROUND)
        for line, (row, example) in enumerate(progress(rows, "Draw pages", unit="rows")):
            for column, cell in enumerate(_cells(augmentation, example, row, range(num_views))):
                sheet.paste(cell, (_GAP + column * (WIDTH + _GAP), _GAP + line * (HEIGHT + _GAP)), cell)
    return sheet


def _cells(
    augmentation: Augmentation, example: Example, row: int, epochs: Iterable[int]
) -> Iterable[Image.Image]:
    """Draw the first image of a row and its views."""
    page = open_image(example.images[0])
    focus = busiest_point(page)
    name = example.row.images[0].rsplit("/", 1)[-1]
    caption = (f"{name}, {page.width} x {page.height}", example.where)
    yield draw_cell(page, find_boxes(example.row.completion), focus, caption)
    for epoch in epochs:
        params = augmentation.draw(example, row, epoch)
        x, y = transform_of(params[0], page.size).map_points(np.array([focus]).T)
        boxes = find_boxes(augment_example(example, params).row.completion)
        shown = augment_image(page, params[0])
        yield draw_cell(shown, boxes, (float(x[0]), float(y[0])), describe(params[0]))


def _chosen_rows(config: TrainerConfig, file: DataFile, num_rows: int) -> list[tuple[int, Example]]:
    """The selected rows with their indices among the training rows; only their images are decoded."""
    problems = RowProblems()
    examples = [
        Example(row, where, image_hashes=_hashes(file.images, row))
        for where, row in read_rows(file, problems)
    ]
    problems.raise_if_any()
    if config.effective_validation_split is not None and len(examples) > 1:
        examples, _ = hold_out(examples, config.effective_validation_split, config.training.seed)
    pages = [(place, example) for place, example in enumerate(examples) if example.row.images]
    if not pages:
        raise UserError(
            FailureReason.DatasetInvalid,
            f"{file.source}: no row has an image, so there is nothing to augment.",
            "Name rows with images, by dataset_path.",
        )
    count = min(num_rows, len(pages))
    chosen = [pages[i * len(pages) // count] for i in range(count)]
    with ImageCheck(file.images, config.max_image_pixels) as images:
        rows = [(place, _with_images(example, images, problems)) for place, example in chosen]
    problems.raise_if_any()
    return rows


def _hashes(folders: ImageFolders, row: Row) -> tuple[str, ...]:
    """The digests by which a training holds out rows; images that it would reject have none."""
    digests = []
    for name in row.images:
        with contextlib.suppress(ImageError, OSError):
            digests.append(hash_image(folders.find(name)))
    return tuple(digests)


def _with_images(example: Example, images: ImageCheck, problems: RowProblems) -> Example:
    checked = images.check(example.row.images)
    found = []
    for name in example.row.images:
        image = checked[name]
        if isinstance(image, ImageError):
            problems.add(example.where, str(image))
        else:
            found.append(image)
    return replace(
        example, images=tuple(image.path for image in found), sizes=tuple(image.size for image in found)
    )
