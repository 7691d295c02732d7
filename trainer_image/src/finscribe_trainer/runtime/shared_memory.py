"""Finds how many data workers the shared memory suffices for, and ends a worker that finds it full.

A worker passes its batches to the training in files of /dev/shm, of which Docker gives a container 64 MB. By
itself a worker that finds no room there would drop the batch, for which the training would wait for ever.
"""

import logging
import multiprocessing.queues
import os
import shutil
import sys
import traceback
from pathlib import Path
from typing import Any

from finscribe_core.constants import EXIT_RETRY
from finscribe_trainer.runtime.stop_signal import block_signals_in_worker

log = logging.getLogger(__name__)

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - no file is created there
PREFETCHED_BATCHES = 2
"""Batches that a worker loads in advance: PyTorch's default."""
_LOADER_FILE = "torch/utils/data/dataloader.py"
_SHARE = 0.4
"""Of the free shared memory, for one loader: training and validation have one each, and rows differ."""


def affordable_workers(wanted: int, batch_bytes: int, batches_in_use: int) -> int:
    """The number of data workers, at most `wanted`, whose batches fit into the shared memory.

    Without workers the training loads its batches itself, more slowly, and needs no shared memory. Fewer
    workers than wanted cause a warning.

    Args:
        wanted: workers of one loader.
        batch_bytes: bytes of a large batch.
        batches_in_use: batches that the training holds at a time.
    """
    if wanted == 0 or not SHARED_MEMORY.is_dir():
        return wanted
    free = shutil.disk_usage(SHARED_MEMORY).free
    room = free * _SHARE / int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    number = int((room / max(batch_bytes, 1) - batches_in_use) // PREFETCHED_BATCHES)
    affordable = max(0, min(wanted, number))
    if affordable < wanted:
        log.warning(
            "%s has %d MB free, too few for %d data workers with batches of %.1f MB: using %d. Loading takes "
            "longer. Give the container more shared memory (docker run --shm-size=8g), or set "
            "training.dataloader_num_workers.",
            SHARED_MEMORY,
            free // 10**6,
            wanted,
            batch_bytes / 1e6,
            affordable,
        )
    return affordable


def prepare_worker(worker: int) -> None:
    """Prepare a data worker: it leaves signals to the main process, and ends if it can't pass a batch on."""
    block_signals_in_worker(worker)
    queue: Any = multiprocessing.queues.Queue
    queue._on_queue_feeder_error = staticmethod(_end_worker)  # multiprocessing's hook for this


def _end_worker(error: Exception, _batch: object) -> None:
    """End this process: PyTorch then raises an error in the training."""
    traceback.print_exception(error, file=sys.stderr)
    sys.stderr.flush()
    os._exit(EXIT_RETRY)


def is_worker_failure(error: BaseException) -> bool:
    """Whether the error is that of a data worker which was killed or has ended by itself.

    It is PyTorch's, or that of a connection to the worker over which a batch was to come.
    """
    if isinstance(error, RuntimeError):
        return str(error).startswith("DataLoader worker (pid")
    files = (frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__))
    return isinstance(error, ConnectionError | EOFError) and any(
        file.endswith(_LOADER_FILE) for file in files
    )
