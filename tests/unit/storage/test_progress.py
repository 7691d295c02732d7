"""The progress of a transfer: a bar in a terminal, log lines elsewhere."""

import logging
import os
import pty
import subprocess
import sys

from finscribe_trainer.storage.progress import LoggedProgress

BAR_SCRIPT = """
from finscribe_trainer.storage.progress import show_progress
with show_progress("Download model") as progress:
    progress.expect(2_000_000)
    progress.advance(1_000_000)
"""


def test_a_long_transfer_logs_a_line_every_ten_seconds(caplog):
    now = 0.0
    with caplog.at_level(logging.INFO):
        progress = LoggedProgress("Download model", clock=lambda: now)
        progress.expect(10_000_000)
        for now in (5.0, 9.0, 10.0, 15.0, 21.0):  # noqa: B007 - the clock reads it
            progress.advance(1_000_000)

    assert caplog.messages == [
        "Download model: 3.0 of 10.0 MB, 0.3 MB/s",
        "Download model: 5.0 of 10.0 MB, 0.2 MB/s",
    ]


def test_a_terminal_shows_a_bar():
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    subprocess.run([sys.executable, "-c", BAR_SCRIPT], stderr=theirs, env=env, check=True)
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)

    assert "Download model" in shown
    assert "1.0/2.0 MB" in shown
