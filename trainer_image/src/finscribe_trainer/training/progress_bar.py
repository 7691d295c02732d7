"""Draws the progress of a training in a terminal."""

from typing import Any

from rich.progress import TaskID
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from finscribe_trainer.runtime.progress import create_bar


class ProgressBar(TrainerCallback):
    """Shows the optimizer steps done and planned, the last loss and the time left, below the log lines."""

    def __init__(self, title: str = "Training") -> None:
        self._title = title
        self._bar = create_bar()
        self._task: TaskID | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Draw the bar."""
        self._task = self._bar.add_task(
            self._title, total=state.max_steps, completed=state.global_step, details="steps"
        )
        self._bar.start()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Advance the bar."""
        if self._task is not None:
            self._bar.update(self._task, completed=state.global_step)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Show the loss."""
        logs: dict[str, float] = given["logs"]
        if self._task is not None and "loss" in logs:
            self._bar.update(self._task, details=f"steps, loss {logs['loss']:.4g}")

    def close(self) -> None:
        """Remove the bar, also after an error."""
        self._bar.stop()
