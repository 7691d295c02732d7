"""Writes a synthetic data set (rows, images, schema.json) and resumes an interrupted run.

Rows are appended to `rows.part` in order, each after its image; at the end they are divided into splits.
So every row in it is complete, and the number of rows tells where to resume.
"""

import json
import multiprocessing
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path

from finscribe_core.atomic_files import atomic_path, write_atomically
from finscribe_core.errors import FailureReason, RetryableError, UserError, is_disk_full
from finscribe_trainer.data_tools.synthetic.row import Choice, write_row
from finscribe_trainer.documents.schema import schema_json
from finscribe_trainer.runtime.outputs import claim_folder
from finscribe_trainer.runtime.progress import progress

SPLITS = ("train", "val", "test")
SETTINGS_FILE = "generated.json"
"""The settings that the data set was generated with."""
_ROWS = "rows.part"


@dataclass(frozen=True)
class Plan:
    """The settings of a data set to generate."""

    choice: Choice
    count: int
    shares: tuple[float, float, float]
    """Fractions of train, val and test."""

    @property
    def sizes(self) -> dict[str, int]:
        """Rows of each split: the first documents are training rows, the last ones test rows."""
        train, val, _ = self.shares
        ends = [round(self.count * share) for share in (train, train + val)] + [self.count]
        return {split: end - start for split, start, end in zip(SPLITS, [0, *ends], ends, strict=False)}

    def settings(self) -> str:
        """All settings that affect the output, as JSON."""
        settings = {**asdict(self.choice), "count": self.count, "splits": self.shares}
        return json.dumps({"finscribe": version("finscribe"), **settings}, indent=2) + "\n"


def generate_dataset(plan: Plan, folder: Path, workers: int, *, overwrite: bool = False) -> dict[str, int]:
    """Write a data set, or the missing rest of it.

    Args:
        plan: the settings.
        folder: new, empty, or from an interrupted run with the same settings.
        workers: number of processes; it does not affect the files.
        overwrite: whether a data set with other settings in the folder may be replaced.

    Returns:
        the number of rows of each split.

    Raises:
        UserError: InvalidConfig, the folder contains other files, or a data set with other settings.
        RetryableError: DiskFull, or Interrupted by Ctrl+C, or by another process that writes to the folder;
            the same command resumes.
    """
    try:
        with claim_folder(folder, overwrite=overwrite, own=SETTINGS_FILE):
            _prepare_folder(folder, plan, overwrite=overwrite)
            if not _is_complete(folder, plan):
                _write_rows(folder, plan, workers)
                _write_splits(folder, plan.sizes)
    except OSError as error:
        if is_disk_full(error):
            raise RetryableError(
                FailureReason.DiskFull,
                f"The disk of {folder} is full.",
                "Free some space and run the same command again; it resumes.",
            ) from error
        raise UserError(
            FailureReason.InvalidConfig,
            f"{folder} can't be written: {error}.",
            "Choose another --output-dir.",
        ) from error
    return plan.sizes


def _prepare_folder(folder: Path, plan: Plan, *, overwrite: bool) -> None:
    """Write the settings to the folder, or check that it belongs to the same settings."""
    settings, text = folder / SETTINGS_FILE, plan.settings()
    if not settings.is_file() or settings.read_text(encoding="utf-8") != text:
        if settings.is_file() and not overwrite:
            raise UserError(
                FailureReason.InvalidConfig,
                f"{folder} contains a data set that was generated with other options (see {settings}).",
                "Name another --output-dir, or pass --overwrite.",
            )
        for name in (_ROWS, *(f"{split}.jsonl" for split in SPLITS)):
            (folder / name).unlink(missing_ok=True)
    write_atomically(settings, text.encode())
    write_atomically(
        folder / "schema.json", (json.dumps(schema_json(), indent=2, ensure_ascii=False) + "\n").encode()
    )
    (folder / "images").mkdir(exist_ok=True)


def _is_complete(folder: Path, plan: Plan) -> bool:
    files = [folder / f"{split}.jsonl" for split, size in plan.sizes.items() if size]
    return all(file.is_file() for file in files) and not (folder / _ROWS).exists()


def _write_rows(folder: Path, plan: Plan, workers: int) -> None:
    """Append the missing rows to `rows.part`."""
    with (folder / _ROWS).open("ab+") as rows:
        rows.seek(0)
        done, end = _complete_lines(rows)
        rows.truncate(end)
        new_rows = _generate_rows(partial(write_row, plan.choice, folder), range(done, plan.count), workers)
        try:
            for row in progress(new_rows, "Generate", total=plan.count, completed=done, unit="pages"):
                rows.write(row.encode())
                done += 1
        except KeyboardInterrupt:
            raise _interrupted(f"Stopped after {done} of {plan.count} pages.") from None
        except BrokenProcessPool:
            raise _interrupted(
                f"A worker was killed after {done} of {plan.count} pages; memory may have run out."
            ) from None


def _interrupted(message: str) -> RetryableError:
    return RetryableError(FailureReason.Interrupted, message, "Run the same command again to resume.")


def _complete_lines(file: Iterable[bytes]) -> tuple[int, int]:
    """The number of complete lines, and the offset of their end; only the last line can be incomplete."""
    done = end = 0
    for line in file:
        if line.endswith(b"\n"):
            done, end = done + 1, end + len(line)
    return done, end


def _generate_rows(write: "partial[str]", indices: range, workers: int) -> Iterator[str]:
    """Generate rows in order with the given number of processes."""
    if workers == 1 or len(indices) < 2:
        yield from map(write, indices)
        return
    # `spawn` on all platforms: a fork may copy a lock held by another thread. Only the parent handles Ctrl+C.
    ignore_interrupt = partial(signal.signal, signal.SIGINT, signal.SIG_IGN)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, ignore_interrupt) as pool:
        yield from pool.map(write, indices, chunksize=8)


def _write_splits(folder: Path, sizes: dict[str, int]) -> None:
    """Write each split to its file, atomically."""
    with (folder / _ROWS).open("rb") as rows:
        for split, size in sizes.items():
            if size:
                with atomic_path(folder / f"{split}.jsonl") as part, part.open("wb") as file:
                    file.writelines(islice(rows, size))
    (folder / _ROWS).unlink()
