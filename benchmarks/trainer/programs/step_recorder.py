"""Records when each step of a Hugging Face Trainer ends, with its loss and the peak GPU memory."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments, trainer

STEPS_FILE = "steps.json"


class StepRecorder(TrainerCallback):
    """Times and losses of the steps, and the peak memory that PyTorch allocated on the GPU."""

    folder = Path()
    """Where the file is written; of the class, because a Trainer creates the callback without arguments."""

    def __init__(self) -> None:
        self.times: list[tuple[float, float]] = []
        """(Unix time, CPU seconds) at the start of the training and after each step."""
        self.losses: list[float] = []

    def _record_time(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.times.append((time.time(), _cpu_seconds()))

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Record the start; imports and loading the model are done."""
        self._record_time()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Record the end of an optimizer step."""
        self._record_time()

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Record the training loss of the step."""
        if "loss" in given["logs"]:
            self.losses.append(float(given["logs"]["loss"]))

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Write the file."""
        gpu = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
        recorded = {"times": self.times, "losses": self.losses, "gpu_peak": gpu}
        (self.folder / STEPS_FILE).write_text(json.dumps(recorded), encoding="utf-8")


def _cpu_seconds() -> float:
    """CPU seconds of this process and its data workers."""
    workers = 0.0
    for child in psutil.Process().children(recursive=True):
        times = child.cpu_times()
        workers += times.user + times.system
    return time.process_time() + workers


@contextmanager
def steps_recorded_to(folder: Path) -> Iterator[None]:
    """Every Trainer created in this context writes `steps.json` to the folder."""
    StepRecorder.folder = folder
    defaults: list[type[TrainerCallback]] = trainer.DEFAULT_CALLBACKS  # type: ignore[assignment] # narrower
    defaults.append(StepRecorder)
    try:
        yield
    finally:
        defaults.remove(StepRecorder)
