"""Writes a synthetic data set: rows, images, schema.json; goes on where an earlier run was cut off.

Rows are collected in `rows.part`, in order, each after its image; at the end they go to their splits.
So a row that is there is complete, and the number of rows tells where to go on.
"""

import errno
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

from finscribe_core.errors import FailureReason, RetryableError, UserError
from finscribe_trainer.data_tools.synthetic.row import Choice, write_row
from finscribe_trainer.documents.schema import schema_json
from finscribe_trainer.runtime.files import atomic_path, write_atomically
from finscribe_trainer.runtime.progress import progress

SPLITS = ("train", "val", "test")
SETTINGS_FILE = "generated.json"
"""What the data set was made with."""
_ROWS = "rows.part"


@dataclass(frozen=True)
class Plan:
    """A data set to be made."""

    choice: Choice
    count: int
    shares: tuple[float, float, float]
    """Of the splits."""

    @property
    def sizes(self) -> dict[str, int]:
        """Rows of each split: the first documents are for training, the last for testing."""
        train, val, _ = self.shares
        ends = [round(self.count * share) for share in (train, train + val)] + [self.count]
        return {split: end - start for split, start, end in zip(SPLITS, [0, *ends], ends, strict=False)}

    def settings(self) -> str:
        """Everything that decides what is written, as JSON."""
        settings = {**asdict(self.choice), "count": self.count, "splits": self.shares}
        return json.dumps({"finscribe": version("finscribe"), **settings}, indent=2) + "\n"


def generate_dataset(plan: Plan, folder: Path, workers: int) -> dict[str, int]:
    """Write a data set, or what is missing of it.

    Args:
        plan: what to write.
        folder: where to: new, empty, or left by a run of the same plan.
        workers: processes; the files are the same for any number.

    Returns:
        the number of rows of each split.

    Raises:
        UserError: InvalidConfig, the folder holds other things, or a data set of another plan.
        RetryableError: DiskFull, or Interrupted by Ctrl+C; the same command goes on.
    """
    try:
        _claim(folder, plan)
        if not _is_complete(folder, plan):
            _write_rows(folder, plan, workers)
            _deal_out(folder, plan.sizes)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise RetryableError(
                FailureReason.DiskFull, f"{folder} has no room left.", "Make room; the same command goes on."
            ) from error
        raise UserError(
            FailureReason.InvalidConfig,
            f"{folder} can't be written: {error}.",
            "Choose another --output-dir.",
        ) from error
    return plan.sizes


def _claim(folder: Path, plan: Plan) -> None:
    """Make the folder this plan's, unless something else is there."""
    settings, text = folder / SETTINGS_FILE, plan.settings()
    if settings.is_file():
        if settings.read_text(encoding="utf-8") != text:
            raise UserError(
                FailureReason.InvalidConfig,
                f"{folder} holds a data set made with other options (see {settings}).",
                "Choose another --output-dir, or delete that one.",
            )
    elif folder.is_dir() and any(entry.name != f"{SETTINGS_FILE}.part" for entry in folder.iterdir()):
        raise UserError(
            FailureReason.InvalidConfig,
            f"{folder} is not empty, and not a data set made by this command.",
            "Choose a new --output-dir.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(settings, text.encode())
    write_atomically(
        folder / "schema.json", (json.dumps(schema_json(), indent=2, ensure_ascii=False) + "\n").encode()
    )
    (folder / "images").mkdir(exist_ok=True)


def _is_complete(folder: Path, plan: Plan) -> bool:
    files = [folder / f"{split}.jsonl" for split, size in plan.sizes.items() if size]
    return all(file.is_file() for file in files) and not (folder / _ROWS).exists()


def _write_rows(folder: Path, plan: Plan, workers: int) -> None:
    """Collect every row in `rows.part`, from the first that is missing there."""
    with (folder / _ROWS).open("ab+") as rows:
        rows.seek(0)
        done, end = _whole_lines(rows)
        rows.truncate(end)
        made = _made(partial(write_row, plan.choice, folder), range(done, plan.count), workers)
        try:
            for row in progress(made, "Generate", total=plan.count, completed=done, unit="pages"):
                rows.write(row.encode())
                done += 1
        except KeyboardInterrupt:
            raise _interrupted(f"Stopped after {done} of {plan.count} pages.") from None
        except BrokenProcessPool:
            raise _interrupted(
                f"A worker was killed after {done} of {plan.count} pages; memory may have run out."
            ) from None


def _interrupted(message: str) -> RetryableError:
    return RetryableError(FailureReason.Interrupted, message, "The same command goes on from there.")


def _whole_lines(file: Iterable[bytes]) -> tuple[int, int]:
    """How many lines are whole, and where they end; a line that was cut off is the last."""
    done = end = 0
    for line in file:
        if line.endswith(b"\n"):
            done, end = done + 1, end + len(line)
    return done, end


def _made(write: "partial[str]", indices: range, workers: int) -> Iterator[str]:
    """Rows in order, by as many processes."""
    if workers == 1 or len(indices) < 2:
        yield from map(write, indices)
        return
    # `spawn` everywhere: a fork may copy a lock that another thread holds. Ctrl+C is for the parent alone.
    ignore_interrupt = partial(signal.signal, signal.SIGINT, signal.SIG_IGN)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, ignore_interrupt) as pool:
        yield from pool.map(write, indices, chunksize=8)


def _deal_out(folder: Path, sizes: dict[str, int]) -> None:
    """Split the rows into files; each appears when it is complete."""
    with (folder / _ROWS).open("rb") as rows:
        for split, size in sizes.items():
            if size:
                with atomic_path(folder / f"{split}.jsonl") as part, part.open("wb") as file:
                    file.writelines(islice(rows, size))
    (folder / _ROWS).unlink()
