"""Measures what a cache of downloads saves: requests and bytes of runs, one after another and together.

    .venv/bin/python -m benchmarks.storage.shared_cache

Every run is a process of its own, with a folder of its own. It downloads a model's prefix, a file of rows and
the rows' images, from versitygw. Requests are counted where botocore sends them, bytes where they arrive.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.storage.server import BUCKET, Server, run_server
from finscribe_core.errors import FailureReason
from finscribe_core.trainer_config import StorageEndpoint
from finscribe_trainer.storage import Storage
from finscribe_trainer.storage.connection import Connection
from finscribe_trainer.storage.file_cache import FileCache

NUM_IMAGES, IMAGE_SIZE = 10_000, 50_000
MODEL = {"config.json": 2_000, "model.safetensors": 200_000_000, "tokenizer.json": 2_000_000}


class _Observer:
    """Counts what arrives."""

    def __init__(self) -> None:
        self.num_bytes = 0

    def transferred(self, direction: str, num_bytes: int) -> None:
        del direction
        self.num_bytes += num_bytes

    def retried(self) -> None:
        pass


def fetch(endpoint: str, cache: Path, folder: Path) -> dict[str, Any]:
    """One run's downloads: its seconds, requests and bytes."""
    observer, counts = _Observer(), Counter[str]()

    def count(event_name: str, **_: object) -> None:
        counts[event_name.rpartition(".")[2]] += 1

    connection = Connection.open(StorageEndpoint(endpoint=endpoint), observer=observer)
    connection.client.meta.events.register("before-send.s3", count)
    storage = Storage(connection, FileCache(cache, 10**12))
    start = time.monotonic()
    storage.fetch_prefix(f"s3://{BUCKET}/model", folder / "model", missing=FailureReason.ModelNotFound)
    storage.fetch_file(f"s3://{BUCKET}/docs/train.jsonl", folder / "train.jsonl")
    names = [f"docs/images/{number}.jpg" for number in range(NUM_IMAGES)]
    storage.fetch_objects([(f"s3://{BUCKET}/{name}", folder / name) for name in names])
    return {"seconds": round(time.monotonic() - start, 1), "bytes": observer.num_bytes, **counts}


def _store(server: Server) -> None:
    """Create the objects as files, which versitygw serves."""
    sizes = {f"model/{name}": size for name, size in MODEL.items()}
    sizes |= {f"docs/images/{number}.jpg": IMAGE_SIZE for number in range(NUM_IMAGES)}
    client = server.client()
    for number, (key, size) in enumerate({**sizes, "docs/train.jsonl": 1_000_000}.items()):
        client.put_object(Bucket=BUCKET, Key=key, Body=random.Random(number).randbytes(size))  # noqa: S311


def _start(server: Server, cache: Path, folder: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "benchmarks.storage.shared_cache"]
    arguments = [server.endpoint, str(cache), str(folder)]
    return subprocess.Popen([*command, *arguments], env=server.env, stdout=subprocess.PIPE, text=True)


def _results(*runs: "subprocess.Popen[str]") -> list[dict[str, Any]]:
    return [json.loads(run.communicate()[0]) for run in runs]


def main() -> None:
    """Print the numbers of each run."""
    if len(sys.argv) > 1:
        print(json.dumps(fetch(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))))
        return
    with (
        tempfile.TemporaryDirectory() as name,
        run_server(Path(name)) as server,
    ):
        folder = Path(name)
        _store(server)
        for label in ("first run", "second run"):
            print(label, *_results(_start(server, folder / "cache", folder / label)))
        together = [_start(server, folder / "another-cache", folder / f"together-{n}") for n in range(2)]
        print("two runs together", *_results(*together), sep="\n  ")


if __name__ == "__main__":
    main()
