"""Runs a command as a container's process: own process group, log file, exit code of a container."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from finscribe_operator.local import supervisor


@dataclass(frozen=True)
class Command:
    """A command, its environment and its log file."""

    arguments: Sequence[str]
    env: Mapping[str, str]
    log_file: Path
    """Standard output and error are appended to it."""
    grace_seconds: float
    """Time between SIGTERM and SIGKILL."""


class LocalProcess:
    """A running command, which ends with this process: see `supervisor`."""

    def __init__(self, process: asyncio.subprocess.Process, grace_seconds: float) -> None:
        self._process = process
        self._grace_seconds = grace_seconds

    @classmethod
    async def start(cls, command: Command) -> "LocalProcess":
        """Start the command.

        Raises:
            OSError: the log file can't be opened or the process not started.
        """
        # -S: the supervisor needs only the standard library, and starts in half the time.
        supervised = [sys.executable, "-S", supervisor.__file__, str(command.grace_seconds)]
        command.log_file.parent.mkdir(parents=True, exist_ok=True)
        with command.log_file.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *supervised,
                *command.arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=dict(command.env),
                start_new_session=True,
                close_fds=False,  # it inherits the lock of the state directory: see `lock`
            )
        return cls(process, command.grace_seconds)

    async def wait(self) -> int:
        """The exit code; 128 + n when signal n ended it."""
        code = await self._process.wait()
        # The other processes of a container end with its first one.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        return 128 - code if code < 0 else code

    async def stop(self) -> int:
        """Send SIGTERM to the group, and SIGKILL after the grace period; returns the exit code."""
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(self._grace_seconds):  # wait_for may lose a cancellation
                return await asyncio.shield(self.wait())
        except TimeoutError:
            self.kill()
            return await self.wait()

    def kill(self) -> None:
        """Send SIGKILL to the group."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
