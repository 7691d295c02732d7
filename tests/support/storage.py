"""A `Storage` without delays between attempts, and fixtures for it."""

import threading

import pytest

from finscribe_core.trainer_config import StorageEndpoint
from finscribe_trainer.storage import RetryPolicy, Storage, TransferObserver
from finscribe_trainer.storage.connection import Connection
from tests.support.s3 import S3Server

NUM_ATTEMPTS = 3


class CountingObserver:
    """Counts bytes and retries."""

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


def connection_without_delays(
    endpoint: str,
    *,
    observer: TransferObserver | None = None,
    cancel: threading.Event | None = None,
    read_timeout: float = 2.0,
    min_speed: int = RetryPolicy.min_speed,
    speed_window: float = RetryPolicy.speed_window,
) -> Connection:
    """A connection with three attempts, a short read timeout, and no delay between attempts.

    Uploads are repeated by botocore, with its own delays of up to some seconds.
    """
    policy = RetryPolicy(
        max_attempts=NUM_ATTEMPTS,
        connect_timeout=1.0,
        read_timeout=read_timeout,
        min_speed=min_speed,
        speed_window=speed_window,
        sleep=lambda seconds: None,
    )
    return Connection.open(
        StorageEndpoint(endpoint=endpoint), observer=observer, cancel=cancel, policy=policy
    )


def storage_without_delays(
    endpoint: str, *, observer: TransferObserver | None = None, cancel: threading.Event | None = None
) -> Storage:
    """A storage with such a connection."""
    return Storage(connection_without_delays(endpoint, observer=observer, cancel=cancel))


@pytest.fixture
def bucket(s3_env: S3Server) -> str:
    """A bucket for one test."""
    return s3_env.create_bucket()


@pytest.fixture
def storage(s3_env: S3Server) -> Storage:
    """A storage of the server."""
    return storage_without_delays(s3_env.endpoint)
