"""The progress bar of a command, in a terminal and elsewhere."""

import os
import pty
import re
import subprocess
import sys

import pytest

SCRIPT = """
import logging, time
from finscribe_trainer.reporting.logs import setup_logging
from finscribe_trainer.runtime.progress import progress

setup_logging("text")
for number in progress(range(3), "Read rows", unit="rows"):
    logging.getLogger("finscribe_trainer").info("row %d is done", number)
    time.sleep(0.3)  # longer than the time between two drawings
"""


@pytest.fixture
def terminal():
    """The text that a script writes to a terminal as its stderr."""

    def run(script: str) -> str:
        ours, theirs = pty.openpty()
        env = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
        subprocess.run([sys.executable, "-c", script], stderr=theirs, env=env, check=True)
        os.close(theirs)
        text = os.read(ours, 65536).decode()
        os.close(ours)
        return text

    return run


def test_a_terminal_shows_a_bar_below_the_log_lines(terminal):
    shown = re.sub(r"\x1b\[[\d;?]*\w", "", terminal(SCRIPT))  # without colours and cursor movements
    assert "Read rows" in shown
    assert "2/3 rows" in shown
    for number in range(3):
        assert f"INFO    finscribe_trainer: row {number} is done\r\n" in shown


def test_the_bar_is_removed_when_its_loop_ends_or_is_left(terminal):
    left_early = SCRIPT.replace("    time.sleep", "    if number: break\n    time.sleep")
    for script in (SCRIPT, left_early):
        assert terminal(script).endswith("\r\x1b[1A\x1b[2K")  # up one line, erase it


def test_no_bar_is_written_where_stderr_is_no_terminal():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert "Read rows" not in done.stderr
    assert len(done.stderr.splitlines()) == 3
