"""Starts the process of one measured transfer."""

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.storage.server import BUCKET, Server

ROOT = Path(__file__).parents[2]
CLIENTS = ("finscribe", "boto3", "crt")
AWSCRT = "awscrt==0.38.0"
"""In an environment laid over the project's own: nothing else needs it."""


@dataclass(frozen=True)
class Transfer:
    """One transfer."""

    client: str
    direction: str
    folder: Path
    """Uploaded from, or downloaded to."""
    prefix: str = ""
    """Of the uploaded objects."""
    keys: tuple[str, ...] = ()
    """Of the downloaded objects."""


@dataclass(frozen=True)
class Measured:
    """Measurements of a transfer in its own process."""

    seconds: float
    cpu_seconds: float
    peak_mib: float
    """The most memory held, less what the process held before the transfer."""


class Running:
    """A transfer's process, in a process group of its own."""

    def __init__(
        self, transfer: Transfer, server: Server, endpoint: str | None = None, read_timeout: float = 30.0
    ) -> None:
        transfer.folder.mkdir(parents=True, exist_ok=True)
        keys = transfer.folder.with_name(transfer.folder.name + ".keys")
        keys.write_text("\n".join(transfer.keys))
        command = [
            *_python(transfer.client),
            *("-m", "benchmarks.storage.one", transfer.client, transfer.direction),
            *("--endpoint", endpoint or server.endpoint, "--bucket", BUCKET),
            *("--folder", str(transfer.folder), "--prefix", transfer.prefix, "--keys", str(keys)),
            *("--read-timeout", str(read_timeout)),
        ]
        self.errors = ""
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=server.env | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def signal(self, number: signal.Signals) -> None:
        """Send the signal to the process itself, not only to its launcher."""
        os.killpg(self._process.pid, number)

    def wait(self, timeout: float) -> tuple[bool, str]:
        """Success, and the output or the class of the exception; the process is killed after `timeout`."""
        try:
            output, errors = self._process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            output, errors = self._process.communicate()
            return False, f"killed after {timeout:.0f} s"
        if self._process.returncode:
            self.errors = errors
            return False, (errors.strip().splitlines() or [""])[-1].partition(":")[0].rpartition(".")[2]
        return True, output


def measure(transfer: Transfer, server: Server) -> Measured:
    """Run one transfer to its end.

    Raises:
        SystemExit: it failed; the benchmark ends with its error.
    """
    running = Running(transfer, server)
    succeeded, output = running.wait(timeout=1200)
    if not succeeded:
        sys.exit(f"{transfer.client}, {transfer.direction}: {running.errors}")
    return Measured(**json.loads(output))


@functools.cache
def _python(client: str) -> tuple[str, ...]:
    if client != "crt":
        return (sys.executable,)
    uv = shutil.which("uv") or str(ROOT / ".venv-bootstrap" / "bin" / "uv")  # as the Makefile has it
    command = (uv, "run", "--project", str(ROOT), "--no-sync", "--with", AWSCRT, "python")
    subprocess.run([*command, "-c", "import awscrt"], check=True, capture_output=True)
    return command
