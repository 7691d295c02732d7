"""Runs one training as a process, in its own folder; resumes from its last checkpoint."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from finscribe_core.constants import ENV_RUN, ENV_TERMINATION_LOG
from finscribe_core.errors import FailureReason, UserError
from finscribe_core.parsing import parse_strictly
from finscribe_core.report import RunResult
from finscribe_core.trainer_config import TrainerConfig
from finscribe_core.yaml_files import read_documents
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.tuning.experiments.folder import OUTCOME_FILE, complete_checkpoints, read_outcome

_POLL_SECONDS = 0.3


@dataclass(frozen=True)
class Training:
    """A run of `finscribe train` in its own folder."""

    config: TrainerConfig

    @property
    def folder(self) -> Path:
        """Its output_dir."""
        return Path(self.config.output_dir)

    @property
    def config_file(self) -> Path:
        """The config it was started with; beside its folder, which holds the config it was exported with."""
        return self.folder.with_name(f"{self.folder.name}.yaml")

    @property
    def outcome_file(self) -> Path:
        """Its result, as the trainer writes it when it ends."""
        return self.folder / OUTCOME_FILE

    def check_unchanged(self) -> None:
        """Check that it may resume.

        Raises:
            UserError: InvalidConfig when it was started with other settings, which are named.
        """
        if not (self.folder.is_dir() and self.config_file.is_file()):
            return
        before = parse_strictly(TrainerConfig, read_documents(self.config_file)[0])
        if changed := _differences(before, self.config):
            raise UserError(
                FailureReason.InvalidConfig,
                f"{self.folder} was started with other settings ({', '.join(changed)}).",
                f"Remove {self.folder}, or name another --output-dir.",
            )

    def run(
        self, stop: StopSignal, ended: Callable[[], bool] = lambda: False, log: Path | None = None
    ) -> RunResult:
        """Train to the end; on a stop, or when `ended`, save a checkpoint after the current step.

        Args:
            stop: stops the training when requested.
            ended: polled; True ends the training.
            log: file for its log; without one it goes to this process's standard error.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        write_settings(self.config, self.config_file)
        self.outcome_file.unlink(missing_ok=True)
        checkpoints = [checkpoint.folder for checkpoint in complete_checkpoints(self.folder)]
        for path in set(self.folder.glob("checkpoint-*")) - set(checkpoints):
            shutil.rmtree(path)  # incomplete
        arguments = ["--resume", str(checkpoints[-1])] if checkpoints else []
        environment = {name: value for name, value in os.environ.items() if name != ENV_RUN}
        with stop.deferred(), _appended(log) as stderr:
            process = subprocess.Popen(  # noqa: S603 - this very program
                [
                    sys.executable,
                    "-m",
                    "finscribe_trainer",
                    "train",
                    "--config",
                    str(self.config_file),
                    *arguments,
                ],
                env={**environment, ENV_TERMINATION_LOG: str(self.outcome_file)},
                stdin=subprocess.DEVNULL,
                stderr=stderr,
                close_fds=False,  # it holds the folder's lock as long as it lives
            )
            code = _wait(process, lambda: stop.requested.is_set() or ended())
        return read_outcome(self.folder) or self._killed(code)

    def _killed(self, code: int) -> RunResult:
        """The result of a process that was killed before it could write one."""
        ended = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        result = RunResult(
            succeeded=False,
            reason=FailureReason.InternalError,
            message=f"The training ended {ended} without a message; the machine may have run out of memory.",
            retryable=True,
        )
        self.outcome_file.write_text(result.to_termination_message(), encoding="utf-8")
        return result


def write_settings(config: TrainerConfig, path: Path) -> None:
    """Write the config as a user would: without settings that have their default."""
    data = config.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    path.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _wait(process: "subprocess.Popen[bytes]", ended: Callable[[], bool]) -> int:
    asked = False
    while True:
        try:
            return process.wait(_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            if not asked and ended():
                process.terminate()
                asked = True


@contextmanager
def _appended(log: Path | None) -> Iterator[int | None]:
    if log is None:
        yield None
        return
    with log.open("ab") as file:
        yield file.fileno()


def _differences(before: TrainerConfig, now: TrainerConfig) -> list[str]:
    sides = [config.model_dump(mode="json") for config in (before, now)]
    return [
        f"{section}.{name}" if isinstance(sides[1][section], dict) else section
        for section in sides[1]
        for name in (sides[1][section] if isinstance(sides[1][section], dict) else [""])
        if _value(sides[0], section, name) != _value(sides[1], section, name)
    ]


def _value(data: dict[str, object], section: str, name: str) -> object:
    found = data[section]
    return found.get(name) if isinstance(found, dict) else found
