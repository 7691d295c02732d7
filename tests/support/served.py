"""Runs a command that serves until Ctrl+C, and finds its address in what it prints."""

import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def served(line: str, folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """The address that a command line prints; it gets SIGINT at the end, as with Ctrl+C."""
    process = subprocess.Popen(
        ["bash", "-c", f"exec {line}"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout
        printed: list[str] = []
        for text in process.stdout:
            printed.append(text)
            if found := re.search(r"(?:127\.0\.0\.1|localhost):\d\S+", text):
                yield f"http://{found[0]}"
                break
        else:
            raise AssertionError(f"{line} prints no address:\n{''.join(printed)[-3000:]}")
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
