"""Passes every logged metric to TensorBoard and Weights & Biases, by the names of the training guide."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

_GUIDE_NAMES = {"loss": "train_loss"}
_NO_CURVES = {"step", "epoch", "total_flos", "num_input_tokens_seen", "train_runtime"}
_SUMMARY = "train_loss"
"""Only the Trainer's summary at the end has it: the mean loss over all steps."""


class Sink(Protocol):
    """A backend that stores curves."""

    needs_history: bool
    """Whether it lacks the points that were logged before this start."""

    def write(self, metrics: Mapping[str, float], step: int) -> None:
        """Add a point to each metric's curve."""

    def close(self) -> None:
        """Write out what is buffered, and release the backend."""


class Curves(TrainerCallback):
    """Writes train_loss, learning_rate, grad_norm, eval_loss and every other metric of an evaluation."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self.sinks = sinks

    def replay(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Write what was logged before the checkpoint to sinks that lack it, in another pod for example.

        Args:
            history: entries of Hugging Face's TrainerState.log_history.
        """
        for sink in self.sinks:
            for entry in history if sink.needs_history else ():
                if metrics := _metrics(entry):
                    sink.write(metrics, int(entry["step"]))

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Write a point."""
        if metrics := _metrics(given["logs"]):
            for sink in self.sinks:
                sink.write(metrics, state.global_step)

    def close(self) -> None:
        """Write out what is buffered, and close the sinks."""
        for sink in self.sinks:
            sink.close()


def _metrics(logs: Mapping[str, Any]) -> dict[str, float]:
    """The metrics of a log line, by the names of the training guide.

    >>> _metrics({"loss": 2.3, "epoch": 0.5}), _metrics({"train_loss": 2.3, "epoch": 5.0})
    ({'train_loss': 2.3}, {})
    """
    if _SUMMARY in logs:
        return {}
    return {
        _GUIDE_NAMES.get(name, name): float(value)
        for name, value in logs.items()
        if isinstance(value, int | float) and name not in _NO_CURVES
    }
