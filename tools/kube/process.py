"""Starts and stops background programs, with a log and a pid file for each."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tools.kube.progress import ToolError

READY_SECONDS = 90.0
STOP_SECONDS = 20.0
LOG_TAIL_LINES = 15


@dataclass(frozen=True)
class Part:
    """One background program of a cluster."""

    name: str
    command: list[str]
    is_ready: Callable[[], bool]
    env: dict[str, str] = field(default_factory=dict)
    """Added to the environment of this process."""


class Processes:
    """The running parts of one cluster.

    Pids and logs are files below `folder`, so that a later process can stop what an earlier one started.
    """

    def __init__(self, folder: Path, *, die_with_parent: bool = False) -> None:
        self.folder = folder
        self.die_with_parent = die_with_parent
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def start(self, part: Part) -> None:
        """Start a part unless it runs, and wait until it is ready.

        Raises:
            ToolError: It exited or was not ready within 90 seconds; the message ends with its last log lines.
        """
        if self.pid(part.name) is None:
            self._spawn(part)
        deadline = time.monotonic() + READY_SECONDS
        while not part.is_ready():
            if self.pid(part.name) is None:
                raise ToolError(f"{part.name} exited during its start:\n{self._log_tail(part.name)}")
            if time.monotonic() > deadline:
                raise ToolError(
                    f"{part.name} is not ready after {READY_SECONDS:.0f} s:\n{self._log_tail(part.name)}"
                )
            time.sleep(0.1)

    def _spawn(self, part: Part) -> None:
        command = part.command
        if self.die_with_parent and (setpriv := shutil.which("setpriv")):
            # Otherwise a `kill -9` of the tests would leave an API server running.
            command = [setpriv, "--pdeathsig", "KILL", *command]
        with self.log(part.name).open("ab") as log:
            child = subprocess.Popen(
                command,
                env={**os.environ, **part.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl+C must not reach the parts: they are stopped in order
            )
        self._children[part.name] = child
        self._pid_file(part.name).write_text(f"{child.pid} {_started_at(child.pid)}")

    def stop(self, name: str, sig: signal.Signals = signal.SIGTERM) -> bool:
        """Stop a part with `sig`, and with SIGKILL after 20 seconds; returns False if it did not run."""
        pid = self.pid(name)
        if pid is not None:
            with suppress(ProcessLookupError):  # it has exited in between
                os.kill(pid, sig)
                if not self._exited_within(name, STOP_SECONDS):
                    os.kill(pid, signal.SIGKILL)
                    self._exited_within(name, STOP_SECONDS)
            if name in self._children:
                # A zombie is one whose main thread has ended; the others may still hold the port.
                self._children[name].wait(STOP_SECONDS)
        self._pid_file(name).unlink(missing_ok=True)
        return pid is not None

    def _exited_within(self, name: str, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.pid(name) is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def pid(self, name: str) -> int | None:
        """The part's pid, or None if it does not run or its pid now belongs to another process."""
        if name in self._children:
            self._children[name].poll()  # an exited child stays a zombie until it is polled
        try:
            pid, started_at = self._pid_file(name).read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        return int(pid) if _started_at(int(pid)) == started_at else None

    def log(self, name: str) -> Path:
        """Path of the part's log."""
        return self.folder / f"{name}.log"

    def _pid_file(self, name: str) -> Path:
        return self.folder / f"{name}.pid"

    def _log_tail(self, name: str) -> str:
        lines = self.log(name).read_text(errors="replace").splitlines()
        return "\n".join(lines[-LOG_TAIL_LINES:])


def _started_at(pid: int) -> str:
    """Start time of a process as `ps` prints it; empty if there is none, or only a zombie."""
    shown = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split(maxsplit=1)
    return "" if len(shown) < 2 or shown[0].startswith("Z") else shown[1].strip().replace(" ", "_")


def free_ports(count: int) -> list[int]:
    """Different loopback ports that are free at the moment."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(s.getsockname()[1]) for s in sockets]
    for s in sockets:
        s.close()
    return ports
