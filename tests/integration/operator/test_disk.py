"""`finscribe run` with a state directory on a full disk."""

import os
import subprocess
import sys

import pytest

EXIT_RETRY = 75
TIMEOUT_SECONDS = 240
SMALL_DISK = (
    'mkdir state && mount -t tmpfs -o size="$1" tmpfs state && '
    'exec "$2" -m finscribe_core.cli run job.yaml --state-dir state'
)


@pytest.mark.parametrize("size", ["4k", "12k", "28k"], ids=["the lock", "the first objects", "the Job"])
def test_a_full_disk_ends_the_run_as_retryable(size, project):
    """Whichever of its files the command can't write."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    done = subprocess.run(
        ["unshare", "--mount", *user, "bash", "-c", SMALL_DISK, "bash", size, sys.executable],
        cwd=project.directory,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )

    output = done.stdout + done.stderr
    assert done.returncode == EXIT_RETRY, output
    assert "error (DiskFull): The state directory can't be written" in output
    assert "--state-dir" in output
    assert "Traceback" not in output
