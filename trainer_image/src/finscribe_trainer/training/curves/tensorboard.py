"""Writes training curves as TensorBoard's event files."""

from collections.abc import Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter


class TensorBoard:
    """Event files in a folder, which `tensorboard --logdir` shows."""

    def __init__(self, folder: Path, first_step: int) -> None:
        """Args:
        folder: is created if missing.
        first_step: points of an earlier start from this step on are hidden, as they are written again.
        """
        self.needs_history = not any(folder.glob("events.out.tfevents.*"))
        purge_step = None if self.needs_history else first_step
        self._writer = SummaryWriter(str(folder), purge_step=purge_step)

    def write(self, metrics: Mapping[str, float], step: int) -> None:
        """Add a point to each metric's curve, and flush: a run may be killed at any time."""
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()
