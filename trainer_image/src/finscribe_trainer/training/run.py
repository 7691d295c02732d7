"""The inputs of one start of the trainer: config, name, reporter, stop signal, processes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finscribe_core.constants import RUNS_PREFIX
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.distributed.processes import Processes
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.storage.uri import is_s3_uri


@dataclass(frozen=True)
class Run:
    """The inputs of one start of the trainer, which every stage needs."""

    config: TrainerConfig
    name: str
    """The run's name; empty for a training that is only local."""
    resume: str | None
    """Checkpoint to resume from: a folder or an s3:// prefix."""
    reporter: RunReporter
    stop: StopSignal
    overwrite: bool = False
    """Whether an earlier training in the output folder may be replaced."""
    show_bar: bool = False
    may_have_begun: bool = False
    """Whether the run may have an earlier attempt: its Job starts it again under the same name."""
    initial_adapter: str | None = None
    """The adapter that the training started from, once it is known; None for the base model."""
    range_test: dict[str, Any] | None = None
    """The curve by which the learning rate was chosen, as JSON values; None if the config has a number."""
    processes: Processes = field(default_factory=Processes)
    """The run's processes, this one among them."""

    @property
    def output_dir(self) -> Path:
        """Folder of checkpoints and exports on this machine."""
        return Path(self.config.output_dir)

    @property
    def resumes_in_place(self) -> bool:
        """Whether it resumes from a checkpoint of its output folder, or one downloaded there before."""
        if self.resume is None:
            return False
        if is_s3_uri(self.resume):
            return (self.output_dir / self.resume.rstrip("/").rsplit("/", 1)[-1]).exists()
        return Path(self.resume).resolve().parent == self.output_dir.resolve()

    @property
    def may_find_earlier_training(self) -> bool:
        """Whether an earlier training in the output folder is no reason to refuse the run."""
        return self.overwrite or self.may_have_begun or self.resumes_in_place

    @property
    def uri(self) -> str | None:
        """The run's prefix in the bucket; None when nothing is uploaded."""
        if self.config.output_uri is None or not self.name:
            return None
        return f"{self.config.output_uri.rstrip('/')}/{RUNS_PREFIX}/{self.name}"
