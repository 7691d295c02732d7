"""The data sets of a run: read and checked as a whole before the model is loaded."""

import hashlib
import logging
import os
import random
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.findings import Findings
from finscribe_trainer.data.images import ImageError, check_image, resolve_image
from finscribe_trainer.data.jsonl import read_rows
from finscribe_trainer.data.rows import Row

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DataFile:
    """A .jsonl file on this machine; its images lie below its folder."""

    path: Path
    source: str
    """How messages call it: the URI or path that the user wrote."""


@dataclass(frozen=True)
class Example:
    """A checked row."""

    row: Row
    where: str
    """`file:line`."""
    images: tuple[Path, ...] = ()
    sizes: tuple[tuple[int, int], ...] = ()
    """(width, height) of each image in pixels."""


@dataclass(frozen=True)
class Dataset:
    """All examples of a file, in its order."""

    examples: list[Example]
    fingerprint: str
    """SHA-256 over the rows' file and every image they name."""


def load_dataset(file: DataFile, max_image_pixels: int) -> Dataset:
    """Read and check every row and every image.

    Raises:
        UserError: DatasetNotFound when there is no such file; DatasetInvalid naming what is wrong, or that
            there is no row.
    """
    check_file(file)
    findings = Findings()
    rows = list(read_rows(file.path, file.source, findings))
    checked = _check_images(file, rows, max_image_pixels, findings)
    findings.raise_if_any()
    if not rows:
        raise UserError(
            FailureReason.DatasetInvalid, f"{file.source}: the file has no rows.", "Write one row per line."
        )
    digest = hashlib.sha256(file.path.read_bytes())
    for name in sorted(checked):
        digest.update(f"\n{name} {checked[name].sha256}".encode())
    examples = [
        Example(
            row,
            f"{file.source}:{number}",
            tuple(checked[name].path for name in row.images),
            tuple(checked[name].size for name in row.images),
        )
        for number, row in rows
    ]
    return Dataset(examples, digest.hexdigest())


def check_file(file: DataFile) -> None:
    """Refuse a rows' file that is not there.

    Raises:
        UserError: DatasetNotFound.
    """
    if not file.path.is_file():
        raise UserError(
            FailureReason.DatasetNotFound,
            f"{file.source}: no such file.",
            "Check dataset_path and validation_path (dataset.train and dataset.validation in a job).",
        )


def image_names(file: DataFile, accept: Callable[[str], None]) -> list[str]:
    """Every image that the rows name, once each, for a caller that fetches them.

    Bad rows and refused names are left to `load_dataset`, which reports them all.

    Args:
        file: the rows.
        accept: raises ImageError for a name that must not be fetched.
    """
    names: dict[str, None] = {}
    for _, row in read_rows(file.path, file.source, Findings()):
        for name in row.images:
            try:
                accept(name)
            except ImageError:
                continue
            names[name] = None
    return list(names)


@dataclass(frozen=True)
class _CheckedImage:
    path: Path
    size: tuple[int, int]
    sha256: str


def _check_images(
    file: DataFile, rows: Iterable[tuple[int, Row]], max_pixels: int, findings: Findings
) -> dict[str, _CheckedImage]:
    """Each image once, several at a time (decoding releases the interpreter's lock)."""
    first_line = {name: number for number, row in reversed(list(rows)) for name in row.images}
    root = file.path.parent

    def check(name: str) -> _CheckedImage | ImageError:
        try:
            path = resolve_image(root, name)
            return _CheckedImage(path, *check_image(path, name, max_pixels))
        except ImageError as problem:
            return problem

    names = sorted(first_line, key=lambda name: first_line[name])
    checked = {}
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for name, result in zip(names, pool.map(check, names), strict=True):
            if isinstance(result, ImageError):
                findings.add(f"{file.source}:{first_line[name]}", str(result))
            else:
                checked[name] = result
    return checked


def hold_out(examples: list[Example], share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """Split into training and validation examples; the same seed and rows give the same split.

    Raises:
        UserError: DatasetInvalid when there is only one row.
    """
    if len(examples) < 2:
        raise UserError(
            FailureReason.DatasetInvalid,
            f"{examples[0].where}: the only row can't be both trained on and held out for validation.",
            "Add rows, or name a validation file.",
        )
    count = min(max(1, round(share * len(examples))), len(examples) - 1)
    chosen = set(random.Random(seed).sample(range(len(examples)), count))  # noqa: S311 - a split, not a secret
    kept = [example for i, example in enumerate(examples) if i not in chosen]
    return kept, [examples[i] for i in sorted(chosen)]
