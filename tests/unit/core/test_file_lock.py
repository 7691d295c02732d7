"""A locked file stays locked until its holder and the holder's children have closed it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from finscribe_core.file_lock import LockHeldError, lock_file

WAIT_FOR_STDIN = "import sys; print('ready', flush=True); sys.stdin.read()"


def is_locked(path: Path) -> bool:
    try:
        lock_file(path).close()
    except LockHeldError:
        return True
    return False


def test_a_second_lock_fails_and_names_the_holder(tmp_path: Path):
    path = tmp_path / "lock"
    with lock_file(path):
        for _ in range(2):  # the process id survives a failed attempt
            with pytest.raises(LockHeldError) as caught:
                lock_file(path)
            assert caught.value.holder == str(os.getpid())
    assert not is_locked(path)


def test_a_child_that_inherits_the_lock_keeps_it_after_its_parent_has_closed_it(tmp_path: Path):
    path = tmp_path / "lock"
    with lock_file(path):
        child = subprocess.Popen(
            [sys.executable, "-c", WAIT_FOR_STDIN],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            close_fds=False,
        )
        assert child.stdout is not None and child.stdout.readline() == b"ready\n"
    assert is_locked(path)
    child.communicate()
    assert not is_locked(path)


def test_waiting_returns_once_the_lock_is_free(tmp_path: Path):
    path = tmp_path / "lock"
    script = f"""
import pathlib, sys, time
from finscribe_core.file_lock import lock_file
with lock_file(pathlib.Path({str(path)!r})):
    print("locked", flush=True)
    time.sleep(0.5)
"""
    other = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert other.stdout is not None and other.stdout.readline() == b"locked\n"
    began = time.monotonic()
    with lock_file(path, wait=True):
        assert path.read_text() == f"{os.getpid()}\n"
    assert time.monotonic() - began > 0.1
    other.communicate()
