"""Describes the machine and the packages of a benchmark of training."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version

import psutil

_PACKAGES = ("torch", "transformers", "peft")


def describe_machine(threads: int = 1) -> str:
    """A sentence with processor, memory, versions and today's date.

    Args:
        threads: of PyTorch, in each training.
    """
    used = "One thread" if threads == 1 else f"{threads} threads"
    return (
        f"{used} of {os.cpu_count()} CPU cores of {platform.machine()}, "
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB; Python {platform.python_version()}, "
        f"{', '.join(f'{name} {version(name)}' for name in _PACKAGES)}; {datetime.now(UTC):%Y-%m-%d}."
    )
