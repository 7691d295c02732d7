"""The progress bar of a terminal; nothing elsewhere."""

import sys
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


class ProgressBar(TrainerCallback):
    """Steps taken, steps planned, time left, last loss. Log lines go above it."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("Training"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[loss]}"),
            console=Console(file=sys.stderr),
        )
        self._task: TaskID | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Draw it."""
        self._task = self._bar.add_task("train", total=state.max_steps, completed=state.global_step, loss="")
        self._bar.start()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Move it."""
        if self._task is not None:
            self._bar.update(self._task, completed=state.global_step)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Show the loss."""
        logs: dict[str, float] = given["logs"]
        if self._task is not None and "loss" in logs:
            self._bar.update(self._task, loss=f"loss {logs['loss']:.4g}")

    def close(self) -> None:
        """Take it off the screen, however the training ended."""
        self._bar.stop()
