"""The adapter of the best evaluation: held in memory, and part of every checkpoint.

So a run that goes on in another pod, from the newest checkpoint alone, can still return to its best one.
"""

from pathlib import Path

import torch
from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file

from finscribe_trainer.training.checkpoints import BEST_FILE


class BestAdapter:
    """The best adapter weights so far, on the CPU."""

    def __init__(self) -> None:
        self._weights: dict[str, torch.Tensor] | None = None

    def take(self, model: PeftModel) -> None:
        """Remember the model's adapter as the best one."""
        state = get_peft_model_state_dict(model)
        self._weights = {name: weight.detach().cpu().clone().contiguous() for name, weight in state.items()}

    def save(self, checkpoint: Path) -> None:
        """Write it into a checkpoint, if there is one yet."""
        if self._weights is not None:
            save_file(self._weights, checkpoint / BEST_FILE)

    def load(self, checkpoint: Path) -> None:
        """Read it from a checkpoint, if it holds one."""
        if (checkpoint / BEST_FILE).is_file():
            self._weights = load_file(checkpoint / BEST_FILE)

    def restore(self, model: PeftModel) -> bool:
        """Put it into the model; False when no evaluation has named a best one yet."""
        if self._weights is None:
            return False
        set_peft_model_state_dict(model, self._weights)
        return True
