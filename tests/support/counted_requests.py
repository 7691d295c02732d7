"""Counts the requests that a connection sends to S3, by operation."""

import threading
from collections import Counter
from typing import Any

from finscribe_trainer.storage.connection import Connection


def count_requests(connection: Connection) -> Counter[str]:
    """The number of requests from now on, retries included, by the operation's name."""
    counts: Counter[str] = Counter()
    lock = threading.Lock()

    def count(event_name: str, **_: Any) -> None:
        with lock:
            counts[event_name.rpartition(".")[2]] += 1

    for client in (connection.client, connection.upload_client):
        client.meta.events.register("before-send.s3", count)
    return counts
