"""Training with data workers in a container with little shared memory, and when a worker dies."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from finscribe_core.constants import EXIT_DONE, EXIT_MACHINE_FULL
from finscribe_core.errors import FailureReason
from finscribe_core.report import RunResult

PATIENCE = 600
"""Seconds: importing torch takes long on a busy machine."""
SMALL_SHARED_MEMORY = 'mount -t tmpfs -o size="$1" tmpfs /dev/shm && shift && exec "$@"'

# A worker that could not pass its batch on used to drop it.
LOAD_SCRIPT = """
import os, torch
from torch.utils.data import DataLoader
from finscribe_trainer.runtime.shared_memory import is_worker_failure, prepare_worker
rows = [torch.zeros(100_000) for _ in range(8)]
try:
    list(DataLoader(rows, 2, num_workers=1, collate_fn=torch.stack, worker_init_fn=prepare_worker))
except Exception as error:
    print(is_worker_failure(error), repr(error), flush=True)
os._exit(0)  # a worker would outlive the script: it leaves SIGTERM to the main process
"""


def with_shared_memory(size: str, *command: str) -> list[str]:
    """The command in a mount namespace whose /dev/shm has a size, as in a container."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", "--mount", *user, "bash", "-c", SMALL_SHARED_MEMORY, "bash", size, *command]


def write_config(sample: Path, folder: Path, max_steps: int) -> Path:
    config = {
        "model_name_or_path": str(sample / "model"),
        "dataset_path": str(sample / "train.jsonl"),
        "validation_path": str(sample / "val.jsonl"),
        "output_dir": str(folder / "out"),
        "training": {"max_steps": max_steps, "dataloader_num_workers": 2, "gradient_checkpointing": False},
        "evaluation": {"enabled": False, "training_documents": 0},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder / "config.yaml"


def train(config: Path) -> list[str]:
    return [sys.executable, "-m", "finscribe_trainer", "train", "--config", str(config)]


@pytest.mark.timeout(PATIENCE + 60)
def test_with_too_little_shared_memory_the_training_uses_fewer_workers_and_says_so(sample, tmp_path):
    config = write_config(sample, tmp_path, max_steps=2)
    done = subprocess.run(
        with_shared_memory("64k", *train(config)),
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == EXIT_DONE, done.stderr
    assert "too few for 2 data workers" in done.stderr
    assert "using 0" in done.stderr


def test_a_worker_that_finds_the_shared_memory_full_ends_instead_of_dropping_its_batch():
    done = subprocess.run(
        with_shared_memory("1m", sys.executable, "-c", LOAD_SCRIPT),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout.startswith("True "), done.stderr
    assert "No space left on device" in done.stderr


@pytest.mark.timeout(2 * PATIENCE)
def test_a_killed_worker_ends_the_run_as_retryable(sample, tmp_path):
    config = write_config(sample, tmp_path, max_steps=100_000)
    termination, log = tmp_path / "termination", tmp_path / "log"
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "FINSCRIBE_LOG_FORMAT": "json",
        "FINSCRIBE_TERMINATION_LOG": str(termination),
    }
    with log.open("wb") as file:
        process = subprocess.Popen(train(config), stderr=file, env=environment)
    try:
        deadline = time.monotonic() + PATIENCE
        while '"step": 1' not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        workers = [c for c in psutil.Process(process.pid).children() if "multiprocessing" not in c.cmdline()]
        workers[-1].send_signal(signal.SIGKILL)
        assert process.wait(timeout=PATIENCE) == EXIT_MACHINE_FULL, log.read_text()
    finally:
        process.kill()
        process.wait()
    result = RunResult.from_termination_message(termination.read_text())
    assert result is not None
    assert result.reason == FailureReason.OOMKilled
    assert "data worker" in result.message
