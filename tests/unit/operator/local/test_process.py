"""Processes end with their parent, and one run at a time uses a state directory."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from finscribe_core.errors import RetryableError, UserError
from finscribe_operator.local import supervisor
from finscribe_operator.local.lock import lock_state_directory
from finscribe_operator.local.object_files import ObjectFiles
from finscribe_operator.local.process import LocalProcess

SAVES_ON_SIGTERM = """
import signal, sys, time
def save(*_):
    print("saved", flush=True)
    sys.exit(75)
signal.signal(signal.SIGTERM, save)
print("ready", flush=True)
while True: time.sleep(1)
"""
SAVES_SLOWLY = """
import pathlib, signal, sys, time
state_dir = pathlib.Path(sys.argv[1])
def save(*_):
    while not (state_dir / "finish").exists(): time.sleep(0.02)
    (state_dir / "saved").touch()
    sys.exit(75)
signal.signal(signal.SIGTERM, save)
(state_dir / "ready").touch()
while True: time.sleep(1)
"""
KILLED_WHILE_TRAINING = """
import asyncio, os, pathlib, signal, sys
from finscribe_operator.local.lock import lock_state_directory
from finscribe_operator.local.process import Command, LocalProcess
async def train(state_dir):
    trainer = [sys.executable, "-c", sys.argv[2], str(state_dir)]
    await LocalProcess.start(Command(trainer, os.environ, state_dir / "log", 10))
    while not (state_dir / "ready").exists(): await asyncio.sleep(0.02)
    os.kill(os.getpid(), signal.SIGKILL)
state_dir = pathlib.Path(sys.argv[1])
with lock_state_directory(state_dir):
    asyncio.run(train(state_dir))
"""


async def test_a_process_whose_parent_ended_saves_and_ends():
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, supervisor.__file__, "5", sys.executable, "-c", SAVES_ON_SIGTERM),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    async with asyncio.timeout(10):
        assert await process.stdout.readline() == b"ready\n"
        process.stdin.close()  # what the kernel does for a process that is killed
        assert await process.stdout.readline() == b"saved\n"
        assert await process.wait() == 75


def test_the_trainer_of_a_killed_run_keeps_the_lock_while_it_saves(tmp_path):
    parent = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_TRAINING, str(tmp_path), SAVES_SLOWLY], check=False, timeout=30
    )
    assert parent.returncode == -signal.SIGKILL
    with pytest.raises(RetryableError), lock_state_directory(tmp_path):
        pass
    (tmp_path / "finish").touch()
    deadline = time.monotonic() + 10
    while not is_free(tmp_path):
        assert time.monotonic() < deadline
    assert (tmp_path / "saved").exists()


def is_free(state_dir: Path) -> bool:
    try:
        with lock_state_directory(state_dir):
            return True
    except RetryableError:
        return False


def test_a_state_directory_is_locked_by_one_run_at_a_time(tmp_path):
    with lock_state_directory(tmp_path):
        with pytest.raises(RetryableError) as caught, lock_state_directory(tmp_path):
            pass
        assert f"process {os.getpid()}" in caught.value.message
        assert "--state-dir" in caught.value.remedy
    with lock_state_directory(tmp_path):
        pass


def test_a_state_directory_that_cannot_be_created_is_reported(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match="file/state: can't be used") as caught,
        lock_state_directory(tmp_path / "file/state"),
    ):
        pass
    assert "--state-dir" in caught.value.remedy


def test_a_directory_that_holds_something_else_does_not_become_a_state_directory(tmp_path):
    (tmp_path / ".gitignore").write_text("*.pyc\n")
    with (
        pytest.raises(UserError, match="holds something else") as caught,
        lock_state_directory(tmp_path),
    ):
        pass
    assert "--state-dir" in caught.value.remedy
    assert [path.name for path in tmp_path.iterdir()] == [".gitignore"]
    assert (tmp_path / ".gitignore").read_text() == "*.pyc\n"


def test_a_damaged_object_is_named_with_what_to_do(tmp_path):
    objects = ObjectFiles(tmp_path)
    objects.put({"kind": "Job", "metadata": {"name": "run-1"}})
    (tmp_path / "Job/default/run-1.json").write_text("")  # as after a power failure
    for read in (lambda: objects.get("Job", "default", "run-1"), lambda: objects.list("Job")):
        with pytest.raises(UserError, match=r"run-1\.json: is damaged") as caught:
            read()
        assert "Delete" in caught.value.remedy


async def test_a_stop_that_is_cancelled_when_the_process_ends_is_cancelled(monkeypatch: pytest.MonkeyPatch):
    ended = asyncio.get_running_loop().create_future()
    process = LocalProcess(SimpleNamespace(pid=0), grace_seconds=60)
    monkeypatch.setattr(process, "_signal", lambda number: None)
    monkeypatch.setattr(process, "wait", lambda: ended)
    stopping = asyncio.create_task(process.stop())
    await asyncio.sleep(0)

    ended.set_result(0)
    await asyncio.sleep(0)
    stopping.cancel()

    with pytest.raises(asyncio.CancelledError):
        await stopping
