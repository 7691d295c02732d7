"""Starts `finscribe train` as a pod does: as a process group, with a termination file and a log."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from finscribe_core.report import RunResult
from tests.support.s3 import S3Server

PATIENCE = 240.0
"""Seconds: importing torch in each process takes long on a busy machine."""
TRAINER = (sys.executable, "-m", "finscribe_trainer")


class TrainerProcess:
    """A started trainer, in a folder of its own.

    Args:
        folder: for its config, log and results.
        config: its config, without output_dir.
        options: of `finscribe train`.
        environment: all variables but those that are set for every process here; None: those of this process.
        program: what is started.
        patience: seconds to wait for a line of its log, or for its end.
    """

    def __init__(
        self,
        folder: Path,
        config: dict,
        options: Sequence[str] = (),
        *,
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] = TRAINER,
        patience: float = PATIENCE,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.out = folder, folder / "out"
        self._patience = patience
        (folder / "config.yaml").write_text(yaml.safe_dump({**config, "output_dir": str(self.out)}))
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [*program, "train", "--config", str(folder / "config.yaml"), *options],
                env={
                    **(os.environ if environment is None else environment),
                    "FINSCRIBE_TERMINATION_LOG": str(folder / "termination"),
                    "FINSCRIBE_LOG_FORMAT": "json",
                    "OMP_NUM_THREADS": "1",
                },
                stderr=log,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    @property
    def result(self) -> RunResult:
        """What it left for the kubelet."""
        result = RunResult.from_termination_message((self.folder / "termination").read_text())
        assert result, self.log
        return result

    def wait_for(self, pattern: str) -> None:
        """Wait until the log contains the pattern."""
        deadline = time.monotonic() + self._patience
        while not re.search(pattern, self.log):
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.log}"
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)

    def ends(self) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(timeout=self._patience)

    def kill(self) -> None:
        """SIGKILL the whole group."""
        os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End it, if it runs."""
        if self.process.poll() is None:
            self.kill()
            self.process.wait()


def environment_with(server: S3Server) -> dict[str, str]:
    """The variables of this process, with the credentials of an S3 server."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        **server.env,
    }
