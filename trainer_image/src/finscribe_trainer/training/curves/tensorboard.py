"""TensorBoard's files."""

from collections.abc import Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter


class TensorBoard:
    """Event files in a folder, which `tensorboard --logdir` shows."""

    def __init__(self, folder: Path, first_step: int) -> None:
        """Args:
        folder: is made if missing.
        first_step: what an earlier start drew from here on is hidden: it is drawn again.
        """
        self.needs_history = not any(folder.glob("events.out.tfevents.*"))
        purge_step = None if self.needs_history else first_step
        self._writer = SummaryWriter(str(folder), purge_step=purge_step)

    def write(self, figures: Mapping[str, float], step: int) -> None:
        """Add a point to each figure's curve; it is on the disk at once, for a run may be killed."""
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()
