"""Runs the command lines of a page: in a shell, or in the process of the test."""

import os
import shlex
import subprocess
import sys
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
