"""A full disk, and a download whose process is killed: on real file systems, with real processes."""

import random
import signal
import subprocess
import sys

import pytest

from finscribe_trainer.storage.download import PIECE_SIZE
from tests.support.faulty_proxy import Fault, faulty_proxy
from tests.support.mounts import run_with_mounts
from tests.support.storage import storage_without_delays

SIZE = 3 * PIECE_SIZE + 12345
CONTENT = random.Random(7).randbytes(SIZE)

# Runs as root of its own user namespace, so mounting needs no privileges on the machine.
FULL_DISK_SCRIPT = """
import os, subprocess, sys
from pathlib import Path
from tests.support.storage import storage_without_delays
disk, endpoint, uri = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], check=True)
try:
    storage_without_delays(endpoint).fetch_file(uri, disk / "model")
except Exception as error:
    print(type(error).__name__, error.reason, sorted(os.listdir(disk)))
"""

FULL_DISK_TENSORS_SCRIPT = """
import subprocess, sys, torch
from finscribe_trainer.pipeline.outcome import classify
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", sys.argv[1]], check=True)
try:
    torch.save({"weight": torch.ones(int(sys.argv[2]), dtype=torch.uint8)}, sys.argv[1] + "/optimizer.pt")
except Exception as error:
    known = classify(error)
    print(known and known.reason, error)
"""

FETCH_SCRIPT = """
import sys
from pathlib import Path
from finscribe_core.trainer_config import StorageEndpoint
from finscribe_trainer.storage import Storage
Storage.from_config(StorageEndpoint(endpoint=sys.argv[1])).fetch_file(sys.argv[2], Path(sys.argv[3]))
"""


@pytest.fixture
def stored(s3_env, bucket) -> str:
    s3_env.client().put_object(Bucket=bucket, Key="model.safetensors", Body=CONTENT)
    return f"s3://{bucket}/model.safetensors"


def test_a_full_disk_is_reported_and_the_partial_download_deleted(s3_env, stored, tmp_path):
    output = run_with_mounts(FULL_DISK_SCRIPT, str(tmp_path), s3_env.endpoint, stored)
    assert output == "RetryableError DiskFull []"


@pytest.mark.parametrize("size", [64_600, 500_000])
def test_a_full_disk_is_reported_when_tensors_are_saved(size, tmp_path):
    """torch's error differs between a write of the data and one of the archive's directory."""
    output = run_with_mounts(FULL_DISK_TENSORS_SCRIPT, str(tmp_path), str(size))
    assert output.startswith("DiskFull"), output


def test_a_download_whose_process_was_killed_is_resumed_by_the_next(s3_env, stored, tmp_path):
    target = tmp_path / "model"
    with faulty_proxy(s3_env.port) as proxy:
        proxy.fail_after(int(SIZE * 0.9), Fault.Stall)
        process = subprocess.Popen([sys.executable, "-c", FETCH_SCRIPT, proxy.endpoint, stored, str(target)])
        assert proxy.faulted.wait(timeout=60)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        bytes_before = proxy.bytes_down
        assert not target.exists()

        storage_without_delays(proxy.endpoint).fetch_file(stored, target)

        assert target.read_bytes() == CONTENT
        assert proxy.bytes_down - bytes_before < SIZE - PIECE_SIZE // 2
