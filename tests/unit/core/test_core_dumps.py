"""In a pod neither operator nor trainer can leave their memory, with its credentials, in a core dump."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from finscribe_core.core_dumps import IN_A_POD

# With core dumps as unlimited as container runtimes leave them, starts a program as `python -m` does, and
# crashes when it has printed its help.
CRASH = """
import os, resource, runpy, sys
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
program = sys.argv.pop(1)
try:
    runpy.run_module(program, run_name="__main__")
except SystemExit:
    os.abort()
"""


@pytest.mark.parametrize("program", ["finscribe_operator", "finscribe_trainer"])
def test_a_program_that_crashes_in_a_pod_leaves_no_core_dump(program: str, tmp_path: Path):
    process = subprocess.Popen(
        [sys.executable, "-c", CRASH, program, "--help"],
        cwd=tmp_path,
        env={**os.environ, IN_A_POD: "10.0.0.1"},
        stdout=subprocess.DEVNULL,
    )
    _, status = os.waitpid(process.pid, 0)
    process.returncode = -os.WTERMSIG(status)

    assert os.WTERMSIG(status) == signal.SIGABRT
    assert not os.WCOREDUMP(status) and list(tmp_path.iterdir()) == []
