"""A `Storage` that does not wait between its tries."""

import threading

from finscribe_core.trainer_config import StorageEndpoint
from finscribe_trainer.storage import RetryPolicy, Storage, TransferObserver

NUM_TRIES = 3


class CountingObserver:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.num_bytes = {"download": 0, "upload": 0}
        self.num_retries = 0
        self._lock = threading.Lock()

    def transferred(self, direction: str, num_bytes: int) -> None:
        with self._lock:
            self.num_bytes[direction] += num_bytes

    def retried(self) -> None:
        with self._lock:
            self.num_retries += 1


def impatient_storage(
    endpoint: str, *, observer: TransferObserver | None = None, cancel: threading.Event | None = None
) -> Storage:
    """A storage with three tries, two seconds of silence allowed, and no pause between tries."""
    policy = RetryPolicy(tries=NUM_TRIES, connect_timeout=1.0, read_timeout=2.0, sleep=lambda seconds: None)
    return Storage.from_config(
        StorageEndpoint(endpoint=endpoint), observer=observer, cancel=cancel, policy=policy
    )
