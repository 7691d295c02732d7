"""Processes end with whoever started them, and one run at a time holds a state directory."""

import asyncio
import os
import subprocess
import sys

import pytest

from finscribe_core.errors import RetryableError
from finscribe_operator.local import lifeline
from finscribe_operator.local.lock import exclusive

STOPPED_WITH_GRACE = """
import signal, sys, time
def save(*_):
    print("saved", flush=True)
    sys.exit(75)
signal.signal(signal.SIGTERM, save)
print("ready", flush=True)
while True: time.sleep(1)
"""


async def test_a_process_whose_starter_is_gone_gets_time_to_save_and_ends():
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, lifeline.__file__, "5", sys.executable, "-c", STOPPED_WITH_GRACE),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    async with asyncio.timeout(10):
        assert await process.stdout.readline() == b"ready\n"
        process.stdin.close()  # what the kernel does for a process that is killed
        assert await process.stdout.readline() == b"saved\n"
        assert await process.wait() == 75


def test_a_state_directory_is_held_by_one_run_at_a_time(tmp_path):
    with exclusive(tmp_path):
        with pytest.raises(RetryableError) as caught, exclusive(tmp_path):
            pass
        assert f"process {os.getpid()}" in caught.value.message
        assert "--state-dir" in caught.value.remedy
    with exclusive(tmp_path):
        pass
