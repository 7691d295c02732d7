"""Notes when each step of a Hugging Face Trainer ends; every side is one."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments, trainer

MARKS_FILE = "marks.json"


class Marks(TrainerCallback):
    """Times of the steps, their losses, and the most memory that PyTorch held on the GPU."""

    folder = Path()
    """Where the marks are written to; a Trainer makes the callback itself, without arguments."""

    def __init__(self) -> None:
        self.times: list[tuple[float, float]] = []
        """(seconds since the epoch, seconds of CPU) at the start of the training and after each step."""
        self.losses: list[float] = []

    def _mark(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.times.append((time.time(), _cpu_seconds()))

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """The training begins: imports and the loading of the model are done."""
        self._mark()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """An optimizer step is done."""
        self._mark()

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Keep the training loss of the step."""
        if "loss" in given["logs"]:
            self.losses.append(float(given["logs"]["loss"]))

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Write it all."""
        gpu = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
        told = {"times": self.times, "losses": self.losses, "gpu_peak": gpu}
        (self.folder / MARKS_FILE).write_text(json.dumps(told), encoding="utf-8")


def _cpu_seconds() -> float:
    """Of this process and of its data workers."""
    workers = 0.0
    for child in psutil.Process().children(recursive=True):
        times = child.cpu_times()
        workers += times.user + times.system
    return time.process_time() + workers


@contextmanager
def marks_written_to(folder: Path) -> Iterator[None]:
    """Every Trainer made meanwhile writes its marks to the folder."""
    Marks.folder = folder
    defaults: list[type[TrainerCallback]] = trainer.DEFAULT_CALLBACKS  # type: ignore[assignment] # narrower
    defaults.append(Marks)
    try:
        yield
    finally:
        defaults.remove(Marks)
