"""A cache of downloads that real processes share: at once, killed, on a full and on a read-only disk."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from finscribe_trainer.storage.download import PIECE_SIZE
from tests.support.faulty_proxy import Fault, faulty_proxy
from tests.support.mounts import run_with_mounts

SIZES = {"config.json": 1000, "weights": 2 * PIECE_SIZE + 12345, "tokenizer.json": 50_000}
CONTENTS = {name: random.Random(name).randbytes(size) for name, size in SIZES.items()}
TOTAL = sum(SIZES.values())

FETCH = """
import sys
from pathlib import Path
from finscribe_core.trainer_config import StorageEndpoint
from finscribe_trainer.storage import RetryPolicy, Storage
from finscribe_trainer.storage.file_cache import FileCache

endpoint, uri, cache, target = sys.argv[1:5]
cache = FileCache(Path(cache), 10**9)
policy = RetryPolicy(read_timeout=10)
storage = Storage.from_config(StorageEndpoint(endpoint=endpoint), cache=cache, policy=policy)
storage.fetch_prefix(uri, Path(target))
"""
ON_A_FULL_DISK = f"""
import logging, subprocess, sys
from finscribe_trainer.runtime import disk_quota
logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.WARNING)
disk_quota.FREE_BYTES = -(10**9)  # as if there were room: the disk itself refuses
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", sys.argv[3]], check=True)
{FETCH}
"""
ON_A_READ_ONLY_DISK = f"""
import logging, subprocess, sys
logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.WARNING)
subprocess.run(["mount", "--bind", sys.argv[3], sys.argv[3]], check=True)
subprocess.run(["mount", "-o", "remount,ro,bind", sys.argv[3]], check=True)
{FETCH}
"""


@pytest.fixture
def stored(s3_env, bucket) -> str:
    for name, content in CONTENTS.items():
        s3_env.client().put_object(Bucket=bucket, Key=f"model/{name}", Body=content)
    return f"s3://{bucket}/model"


def start(endpoint: str, uri: str, cache: Path, target: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", FETCH, endpoint, uri, str(cache), str(target)])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_two_runs_with_an_empty_cache_download_each_object_once(s3_env, stored, tmp_path):
    with faulty_proxy(s3_env.port) as proxy:
        proxy.fail_after(TOTAL // 2, Fault.Stall)  # of the first run, until its read timeout
        first = start(proxy.endpoint, stored, tmp_path / "cache", tmp_path / "a")
        assert proxy.faulted.wait(timeout=60)
        second = start(proxy.endpoint, stored, tmp_path / "cache", tmp_path / "b")
        assert [run.wait(timeout=120) for run in (first, second)] == [0, 0]

        assert contents(tmp_path / "a") == contents(tmp_path / "b") == CONTENTS
        assert proxy.bytes_down < 1.2 * TOTAL


def test_a_run_that_is_killed_leaves_its_complete_files_and_no_lock(s3_env, stored, tmp_path):
    with faulty_proxy(s3_env.port) as proxy:
        proxy.fail_after(int(TOTAL * 0.9), Fault.Stall)
        killed = start(proxy.endpoint, stored, tmp_path / "cache", tmp_path / "killed")
        assert proxy.faulted.wait(timeout=60)
        killed.kill()
        assert killed.wait() == -signal.SIGKILL
        before = proxy.bytes_down

        assert start(proxy.endpoint, stored, tmp_path / "cache", tmp_path / "next").wait(timeout=120) == 0

        assert contents(tmp_path / "next") == CONTENTS
        assert proxy.bytes_down - before < SIZES["weights"] + 10_000


def test_on_a_full_disk_the_run_goes_on_without_adding_anything(s3_env, stored, tmp_path):
    (tmp_path / "cache").mkdir()
    output = run_with_mounts(
        ON_A_FULL_DISK, s3_env.endpoint, stored, str(tmp_path / "cache"), str(tmp_path / "run")
    )
    assert contents(tmp_path / "run") == CONTENTS
    assert "nothing more is added to the cache: [Errno 28]" in output


def test_of_a_read_only_folder_what_is_there_is_used_and_the_rest_downloaded(s3_env, stored, tmp_path):
    with faulty_proxy(s3_env.port) as proxy:
        cache = tmp_path / "cache"
        assert start(proxy.endpoint, stored, cache, tmp_path / "first").wait(timeout=120) == 0
        largest = max(cache.glob("v1/??/*"), key=lambda path: path.stat().st_size)
        for path in set(cache.glob("v1/??/*")) - {largest}:
            path.unlink()
        before = proxy.bytes_down

        output = run_with_mounts(
            ON_A_READ_ONLY_DISK, proxy.endpoint, stored, str(cache), str(tmp_path / "run")
        )

        assert contents(tmp_path / "run") == CONTENTS
        assert proxy.bytes_down - before < SIZES["weights"] / 2
        assert output.count("nothing more is added to the cache: [Errno 30]") == 1
