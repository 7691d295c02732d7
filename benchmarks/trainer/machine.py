"""What a table says of the machine and of the versions."""

import argparse
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version

import psutil

from benchmarks.trainer.environments import pinned_versions
from benchmarks.trainer.sides import Side

_OWN_PACKAGES = ("torch", "transformers", "peft", "accelerate")


@cache
def gpu_name() -> str | None:
    """The GPU's, asked of a process of its own: torch would stay in this one's memory."""
    code = "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip() or None


def describe_machine(options: argparse.Namespace) -> list[str]:
    """Machine, date, how often."""
    where = (
        gpu_name() or f"{os.cpu_count()} CPU cores of {platform.machine()}, {options.threads} thread(s) each"
    )
    return [
        f"{where}; {psutil.virtual_memory().total / 2**30:.0f} GiB; Python {platform.python_version()}; "
        f"{datetime.now(UTC):%Y-%m-%d}. Fresh processes of each trainer: {options.repeat}, taking turns; "
        "median (least - most). A ratio is that of the same round."
    ]


def describe_sides(sides: list[Side]) -> list[str]:
    """The versions of every side."""
    lines = []
    for side in sides:
        own = {name: version(name) for name in _OWN_PACKAGES}
        found = {name: pinned_versions(side.peer)[name] for name in side.packages} if side.peer else own
        lines.append(f"- {side.name}: {', '.join(f'{name} {number}' for name, number in found.items())}")
    return lines
