"""A container's process on this machine: its own process group, its log in a file, its end a container's."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from finscribe_operator.local import lifeline


@dataclass(frozen=True)
class Command:
    """What to run, and with what."""

    arguments: Sequence[str]
    env: Mapping[str, str]
    log_file: Path
    """Standard output and error are appended to it."""
    grace_seconds: float
    """Time between SIGTERM and SIGKILL."""


class LocalProcess:
    """A running command. It can't outlive us: see `lifeline`."""

    def __init__(self, process: asyncio.subprocess.Process, grace_seconds: float) -> None:
        self._process = process
        self._grace_seconds = grace_seconds

    @classmethod
    async def start(cls, command: Command) -> "LocalProcess":
        """Start the command.

        Raises:
            OSError: the log file or the process can't be made.
        """
        # -S: the lifeline needs the standard library alone, and starts in half the time.
        guard = [sys.executable, "-S", lifeline.__file__, str(command.grace_seconds)]
        command.log_file.parent.mkdir(parents=True, exist_ok=True)
        with command.log_file.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *guard,
                *command.arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=dict(command.env),
                start_new_session=True,
                close_fds=False,  # it holds the state directory's lock: see `lock`
            )
        return cls(process, command.grace_seconds)

    async def wait(self) -> int:
        """The exit code; 128 + n when signal n ended it."""
        code = await self._process.wait()
        # With its first process a container's other processes end too.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        return 128 - code if code < 0 else code

    async def stop(self) -> int:
        """Ask the group to end, wait for the grace, then end it; returns the exit code."""
        self._signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(asyncio.shield(self.wait()), self._grace_seconds)
        except TimeoutError:
            self.kill()
            return await self.wait()

    def kill(self) -> None:
        """End the group at once."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
