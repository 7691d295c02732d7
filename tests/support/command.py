"""Runs `finscribe` in the process of the test: a new process would import torch again."""

import logging
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path

from click.testing import CliRunner, Result

from finscribe_core.cli import main_command


def finscribe(arguments: Sequence[str], folder: Path) -> Result:
    """The result of `finscribe` with these arguments, in this working directory."""
    with chdir(folder), process_restored():
        return CliRunner().invoke(main_command, list(arguments))


@contextmanager
def process_restored() -> Iterator[None]:
    """Restore the signal handlers, the root logger and the arithmetic that a command sets for its process."""
    signals = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        for number, handler in signals.items():
            signal.signal(number, handler)
        root.handlers[:], root.level = handlers, level
        if torch := sys.modules.get("torch"):
            torch.set_flush_denormal(False)  # hypothesis refuses to draw numbers in such a process
