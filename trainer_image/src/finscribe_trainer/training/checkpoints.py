"""Checkpoints: their upload in the background, their check for completeness, and the one to resume from."""

import json
import logging
import re
import shutil
import zipfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from finscribe_core.constants import CHECKPOINTS_PREFIX
from finscribe_core.errors import FailureReason, FinscribeError, RetryableError, UserError
from finscribe_trainer.distributed.processes import Processes
from finscribe_trainer.runtime.output_layout import RESULT_NAMES
from finscribe_trainer.storage import Storage
from finscribe_trainer.storage.uri import is_s3_uri

log = logging.getLogger(__name__)

_NAME = re.compile(r"checkpoint-(\d+)")
STATE_FILE = "trainer_state.json"  # Hugging Face writes it last
ADAPTER_FILE = "adapter_model.safetensors"
_NEEDED = (ADAPTER_FILE, "optimizer.pt", "scheduler.pt")
BEST_FILE = "best_adapter.safetensors"
RESUME_STATE = "Continuation"
"""Key of a `ResumeState` in trainer_state.json."""


class CheckpointUploads:
    """Uploads one checkpoint at a time in the background."""

    def __init__(self, upload: Callable[[Path], None]) -> None:
        self._upload = upload
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._running: Future[None] | None = None

    def submit(self, checkpoint: Path) -> None:
        """Start uploading, once the previous upload has ended."""
        self.wait()
        self._running = self._pool.submit(self._upload, checkpoint)

    def wait(self) -> None:
        """Wait for the running upload, and raise its error, if any."""
        if self._running is not None:
            running, self._running = self._running, None
            running.result()

    def raise_if_failed(self) -> None:
        """Raise the error of an upload that has ended with one; does not wait."""
        if self._running is not None and self._running.done():
            self.wait()


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint on this machine."""

    folder: Path
    state: dict[str, Any]
    """Hugging Face's TrainerState: global_step, log_history, best_metric, stateful_callbacks."""

    @property
    def step(self) -> int:
        """Optimizer steps taken."""
        return int(self.state["global_step"])

    def callback_state(self, name: str) -> dict[str, Any]:
        """The saved state of a callback, by its class's name; empty when there is none."""
        found = self.state.get("stateful_callbacks", {}).get(name, {})
        return dict(found[-1] if isinstance(found, list) else found)

    @property
    def num_processes(self) -> int:
        """Number of processes that saved it. One of an older version has the random state of each."""
        found = self.callback_state(RESUME_STATE).get("attributes", {}).get("num_processes")
        return found if isinstance(found, int) else len(list(self.folder.glob("rng_state*.pth")))

    @property
    def initial_adapter(self) -> str | None:
        """The adapter that the training started from; None for the base model."""
        found = self.callback_state(RESUME_STATE).get("attributes", {}).get("initial_adapter")
        return found if isinstance(found, str) else None

    @property
    def range_test(self) -> dict[str, Any] | None:
        """The curve by which the learning rate was chosen, as JSON values; None if it was given."""
        found = self.callback_state(RESUME_STATE).get("attributes", {}).get("range_test")
        return found if isinstance(found, dict) else None

    def logged(self, prefix: str) -> dict[str, float]:
        """The last value of every metric in the history whose name begins with `prefix`."""
        return {
            name: float(value)
            for entry in self.state.get("log_history", [])
            for name, value in entry.items()
            if name.startswith(prefix)
        }


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint that `--resume` names.

    Raises:
        UserError: InvalidConfig when the folder holds no complete checkpoint.
    """
    try:
        state = json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        state = None
    if state is None and (not_one := _not_a_checkpoint(folder)):
        raise UserError(FailureReason.InvalidConfig, *not_one)
    if damage := _find_damage(folder, state):
        raise UserError(
            FailureReason.InvalidConfig,
            f"{folder} is not a complete checkpoint: {damage}.",
            "Name another folder checkpoint-<step> with --resume, or omit --resume to start a new training.",
        )
    return Checkpoint(folder, state)


def _not_a_checkpoint(folder: Path) -> tuple[str, str] | None:
    """What a folder is instead of a checkpoint, and the remedy; None for a checkpoint, even a damaged one."""
    inside = local_checkpoints(folder)
    remedy = "Name a folder checkpoint-<step>, or omit --resume to start a new training."
    if near := inside or local_checkpoints(folder.parent):
        remedy = f"Name a checkpoint: the newest one there is {near[-1]}."
    if not folder.exists():
        return f"{folder}: no such folder.", remedy
    if not folder.is_dir():
        return f"{folder} is a file; a checkpoint is a folder.", remedy
    if inside:
        return f"{folder} is not a checkpoint: it contains checkpoints.", remedy
    if (folder / ADAPTER_FILE).is_file() and not any((folder / name).is_file() for name in _NEEDED[1:]):
        return f"{folder} is an adapter, which has no state to resume from.", remedy
    if not (folder / ADAPTER_FILE).is_file() and not _NAME.fullmatch(folder.name):
        return f"{folder} is not a checkpoint.", remedy
    return None


def _find_damage(folder: Path, state: Any) -> str | None:
    """What is missing or truncated; Hugging Face's Trainer would resume without an optimizer, silently.

    Of tensor files only headers and ends are read, which is cheap enough for a sweep to poll.
    """
    if not _is_state(state):
        return f"{STATE_FILE} is missing or damaged"
    best = (BEST_FILE,) if state.get("best_global_step") else ()
    files = [folder / name for name in (*_NEEDED, *best)]
    for file in (*files, *folder.glob("rng_state*.pth")):
        if not file.is_file():
            return f"{file.name} is missing"
        if not (_is_safetensors(file) if file.suffix == ".safetensors" else zipfile.is_zipfile(file)):
            return f"{file.name} is damaged"
    return None


def _is_state(state: Any) -> bool:
    if not isinstance(state, dict) or not isinstance(state.get("global_step"), int):
        return False
    history, callbacks = state.get("log_history", []), state.get("stateful_callbacks", {})
    entries = isinstance(history, list) and all(isinstance(entry, dict) for entry in history)
    return entries and isinstance(callbacks, dict)


def _is_safetensors(file: Path) -> bool:
    try:
        with safe_open(file, framework="numpy"):  # compares the file's size with its header
            return True
    except (OSError, SafetensorError):
        return False


def mark_incomplete(folder: Path) -> None:
    """Remove the file that marks a checkpoint as complete, before its folder is written again."""
    (folder / STATE_FILE).unlink(missing_ok=True)


def find_checkpoint(
    run_uri: str, output_dir: Path, storage: Storage, check: Callable[[Checkpoint], None]
) -> Checkpoint | None:
    """The newest checkpoint in the bucket that can be used; None if the run has none yet.

    Args:
        run_uri: S3 prefix of a run that may have an earlier attempt.
        output_dir: where checkpoints are on this machine.
        storage: to download from.
        check: raises a UserError for a checkpoint that can't be used; the one before it is tried then.

    Raises:
        UserError: the run has checkpoints, but none of them can be used.
    """
    problems: list[UserError] = []

    def can_be_used(folder: Path) -> bool:
        try:
            check(read_checkpoint(folder))
        except UserError as error:
            log.warning("%s is skipped, the one before it is tried: %s", folder.name, error.message)
            problems.append(error)
            return False
        return True

    found = storage.fetch_last_checkpoint(run_uri, output_dir, can_be_used)
    if found is None and problems:
        raise UserError(
            problems[0].reason,
            f"No checkpoint below {run_uri} can be used. The newest: {problems[0].message}",
            f"Restore the settings of that training, or delete {run_uri}/{CHECKPOINTS_PREFIX}/ to train from "
            "the beginning.",
        )
    _remove_others(output_dir, found)
    return read_checkpoint(found) if found else None


def refuse_earlier_training(output_dir: Path) -> None:
    """Refuse an output folder with checkpoints or results, with which a new training would mix its own.

    Raises:
        UserError: InvalidConfig; the remedy names the checkpoint to resume from.
    """
    checkpoints = local_checkpoints(output_dir)
    results = [name for name in RESULT_NAMES if (output_dir / name).exists()]
    if not checkpoints and not results:
        return
    complete = [folder for folder in checkpoints if _is_complete(folder)]
    resume_or = f"Pass --resume {complete[-1]} to resume from there, " if complete else "Pass "
    raise UserError(
        FailureReason.InvalidConfig,
        f"{output_dir} holds {' and '.join([*(['checkpoints'] if checkpoints else []), *results[:1]])} "
        "of an earlier training.",
        f"{resume_or}--overwrite to replace that training, or name another output_dir.",
    )


def _is_complete(folder: Path) -> bool:
    try:
        read_checkpoint(folder)
    except UserError:
        return False
    return True


def check_same_checkpoint(
    checkpoint: Checkpoint | None, processes: Processes, *, from_bucket: bool = False
) -> None:
    """Check that every process resumes from the same checkpoint.

    Args:
        checkpoint: that of this process.
        processes: all of them.
        from_bucket: whether each machine has downloaded the newest one. Only a damaged copy makes a
            difference then: none is uploaded before this check.

    Raises:
        UserError: InvalidConfig when a machine lacks the checkpoint of the others.
        RetryableError: StorageUnavailable when the bucket had it.
    """
    step = checkpoint.step if checkpoint else 0
    differs = processes.sum(step)[0] != step * processes.world_size
    what = f"Not every machine has the same checkpoint: here it is that of step {step}."
    error: FinscribeError = (
        RetryableError(FailureReason.StorageUnavailable, what)
        if from_bucket
        else UserError(
            FailureReason.InvalidConfig,
            what,
            "Let output_dir be a folder that all machines share, or set output_uri.",
        )
    )
    processes.raise_on_all(error if differs else None)


def read_named_checkpoint(resume: str, output_dir: Path, storage: Storage) -> Checkpoint:
    """The checkpoint that the user named: a folder, or an s3:// prefix, which is downloaded.

    Raises:
        UserError: InvalidConfig when it is not a complete checkpoint.
    """
    if not is_s3_uri(resume):
        return read_checkpoint(Path(resume))
    name = resume.rstrip("/").rsplit("/", 1)[-1]
    folder = storage.fetch_prefix(resume, output_dir / name, missing=FailureReason.InvalidConfig)
    return read_checkpoint(folder)


def local_checkpoints(output_dir: Path) -> list[Path]:
    """The folders checkpoint-<step> of an output folder, complete or not, by their steps."""
    found = [path for path in output_dir.glob("checkpoint-*") if _NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: int(path.name.removeprefix("checkpoint-")))


def _remove_others(output_dir: Path, kept: Path | None) -> None:
    """Remove what an earlier attempt left on this disk, which may be incomplete; the bucket's is complete."""
    for path in local_checkpoints(output_dir):
        if kept is None or path.name != kept.name:
            log.info("removing %s, which is not the newest checkpoint in the bucket", path)
            shutil.rmtree(path)
