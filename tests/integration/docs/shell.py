"""Runs the command lines of a page: in a shell, or in the process of the test."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.command import finscribe
from tests.unit.docs.pages import ALL

PATIENCE_SECONDS = 600


def finscribe_lines(page: str, *names: str) -> list[str]:
    """The lines of a page that call these subcommands of finscribe (any, without names), in their order."""
    calls = [line for line in ALL[page].tested_commands if line.startswith("finscribe ")]
    return [call for call in calls if not names or call.split()[1] in names]


def environment() -> dict[str, str]:
    path = f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"OMP_NUM_THREADS": "1", "PATH": path}


def run(lines: list[str], folder: Path) -> str:
    """Run the lines in a shell, and return what they print; any that fails is shown."""
    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join(lines)],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def call(line: str, folder: Path) -> str:
    """What a line of `finscribe` prints, run in the process of the test; it is shown if it fails."""
    program, *arguments = shlex.split(line)
    assert program == "finscribe"
    done = finscribe(arguments, folder)
    assert done.exit_code == 0, f"{line}\n{done.exception!r}\n{done.output[-3000:]}"
    return done.output


@contextmanager
def served(line: str, folder: Path) -> Iterator[str]:
    """The address that a line prints, which starts a server; it is ended by SIGINT, as with Ctrl+C."""
    process = subprocess.Popen(
        ["bash", "-c", f"exec {line}"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout
        printed: list[str] = []
        for text in process.stdout:
            printed.append(text)
            if found := re.search(r"http://(?:127\.0\.0\.1|localhost):\S+", text):
                yield found[0]
                break
        else:
            raise AssertionError(f"{line} prints no address:\n{''.join(printed)[-3000:]}")
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
