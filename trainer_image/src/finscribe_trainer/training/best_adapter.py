"""Keeps the adapter of the best evaluation, in memory and in every checkpoint.

So a run that resumes in another pod, from the newest checkpoint alone, can still export its best adapter.
"""

from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from finscribe_core.trainer_config import SelectionMetric
from finscribe_trainer.model.adapter import adapter_weights
from finscribe_trainer.training.checkpoints import BEST_FILE


class BestAdapter(TrainerCallback):
    """Copies the adapter to the CPU at each evaluation that is better than all before.

    Args:
        metric: decides which evaluation is better.
    """

    def __init__(self, metric: SelectionMetric) -> None:
        self.metric = metric
        self._weights: dict[str, torch.Tensor] | None = None

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Compare an evaluation of the tuned model with the best so far, which the state holds."""
        metrics: dict[str, float] = given["metrics"]
        if self.metric not in metrics:  # the base model's
            return
        value, best = metrics[self.metric], state.best_metric
        if best is None or (value > best if self.metric.greater_is_better else value < best):
            state.best_metric, state.best_global_step = value, state.global_step
            self.copy_adapter(given["model"])

    def copy_adapter(self, model: PeftModel) -> None:
        """Copy the model's adapter."""
        weights = adapter_weights(model)
        self._weights = {name: weight.detach().cpu().clone().contiguous() for name, weight in weights.items()}

    def save(self, checkpoint: Path) -> None:
        """Write the best adapter into a checkpoint, if there is one yet."""
        if self._weights is not None:
            save_file(self._weights, checkpoint / BEST_FILE)

    def load(self, checkpoint: Path) -> None:
        """Read the best adapter from a checkpoint, if that holds one."""
        if (checkpoint / BEST_FILE).is_file():
            self._weights = load_file(checkpoint / BEST_FILE)

    def restore(self, model: PeftModel) -> bool:
        """Load the best adapter into the model; False when there was no evaluation yet."""
        if self._weights is None:
            return False
        set_peft_model_state_dict(model, self._weights)
        return True
