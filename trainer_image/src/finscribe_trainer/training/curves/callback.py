"""Passes every figure that is logged on to whoever draws curves, by the training guide's names."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

_GUIDES_NAMES = {"loss": "train_loss"}
_NO_FIGURES = {"step", "epoch", "total_flos", "num_input_tokens_seen", "train_runtime"}
_SUMMARY = "train_loss"
"""What tells the Trainer's last words, the mean over all steps among them, from a log line."""


class Sink(Protocol):
    """Where curves go."""

    needs_history: bool
    """Whether it lacks what was logged before this start."""

    def write(self, figures: Mapping[str, float], step: int) -> None:
        """Add a point to each figure's curve."""

    def close(self) -> None:
        """Nothing more will come."""


class Curves(TrainerCallback):
    """Writes train_loss, learning_rate, grad_norm, eval_loss and every other figure of an evaluation."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self.sinks = sinks

    def replay(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Draw what was logged before a checkpoint, where it is not there: in another pod, say.

        Args:
            history: entries of Hugging Face's TrainerState.log_history.
        """
        for sink in self.sinks:
            for entry in history if sink.needs_history else ():
                if figures := _figures(entry):
                    sink.write(figures, int(entry["step"]))

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Draw a point."""
        if figures := _figures(given["logs"]):
            for sink in self.sinks:
                sink.write(figures, state.global_step)

    def close(self) -> None:
        """Write out what is still held; nothing more will come."""
        for sink in self.sinks:
            sink.close()


def _figures(logs: Mapping[str, Any]) -> dict[str, float]:
    """The figures of a log line, by the guide's names.

    >>> _figures({"loss": 2.3, "epoch": 0.5}), _figures({"train_loss": 2.3, "epoch": 5.0})
    ({'train_loss': 2.3}, {})
    """
    if _SUMMARY in logs:
        return {}
    return {
        _GUIDES_NAMES.get(name, name): float(value)
        for name, value in logs.items()
        if isinstance(value, int | float) and name not in _NO_FIGURES
    }
