"""Describes the machine and the package versions of a benchmark."""

import argparse
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version

import psutil

from benchmarks.trainer.candidates import Candidate
from benchmarks.trainer.environments import pinned_versions

_OWN_PACKAGES = ("torch", "transformers", "peft", "accelerate")


@cache
def gpu_name() -> str | None:
    """Name of the GPU, or None; found by another process, because torch would stay in this one's memory."""
    code = "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip() or None


def describe_machine(options: argparse.Namespace) -> list[str]:
    """Machine, date and number of repetitions."""
    where = (
        gpu_name() or f"{os.cpu_count()} CPU cores of {platform.machine()}, {options.threads} thread(s) each"
    )
    return [
        f"{where}; {psutil.virtual_memory().total / 2**30:.0f} GiB; Python {platform.python_version()}; "
        f"{datetime.now(UTC):%Y-%m-%d}. Fresh processes of each trainer: {options.repeat}, interleaved; "
        "median (minimum - maximum). Ratios compare runs of the same round."
    ]


def describe_candidates(candidates: list[Candidate]) -> list[str]:
    """Package versions of every training program."""
    lines = []
    for candidate in candidates:
        own = {name: version(name) for name in _OWN_PACKAGES}
        found = (
            {name: pinned_versions(candidate.peer)[name] for name in candidate.packages}
            if candidate.peer
            else own
        )
        lines.append(f"- {candidate.name}: {', '.join(f'{name} {number}' for name, number in found.items())}")
    return lines
