"""An endpoint that sends too slowly, or without end, ends a transfer as a retryable or a user error."""

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from finscribe_core.errors import FailureReason, FinscribeError, RetryableError, UserError
from finscribe_trainer.storage import Storage, bounded_session, bucket, manifest
from tests.support.hostile_server import Answer, hostile_server
from tests.support.storage import NUM_ATTEMPTS, connection_without_delays

HEAD = (
    b"HTTP/1.1 206 Partial Content\r\nLast-Modified: Wed, 01 Jul 2026 00:00:00 GMT\r\n"
    b'ETag: "etag"\r\nContent-Length: 1000000\r\nContent-Range: bytes 0-999999/1000000\r\n\r\n'
)
ENDLESS_HEAD = b"HTTP/1.1 200 OK\r\nLast-Modified: Wed, 01 Jul 2026 00:00:00 GMT\r\n\r\n"

OPERATIONS: dict[str, Callable[[Storage, Path], object]] = {
    "fetch a file": lambda s, d: s.fetch_file("s3://bucket/p/a", d / "a"),
    "fetch a prefix": lambda s, d: s.fetch_prefix("s3://bucket/p", d / "in"),
    "names": lambda s, d: s.names("s3://bucket/p"),
    "exists": lambda s, d: s.exists("s3://bucket/p"),
    "read JSON": lambda s, d: s.read_json("s3://bucket/p/latest.json"),
    "the last checkpoint": lambda s, d: s.fetch_last_checkpoint("s3://bucket/p", d),
    "check writable": lambda s, d: s.check_writable("s3://bucket/p"),
}


@pytest.fixture
def closing() -> Iterator[threading.Event]:
    """Set when the test ends, so that the server's threads end, too."""
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_body_that_arrives_byte_by_byte_is_given_up(operation, closing, s3_env, tmp_path):
    def trickle(send: Callable[[bytes], object]) -> None:
        send(HEAD)
        while not closing.wait(0.01):
            send(b" ")

    with hostile_server(lambda request: trickle) as server:
        connection = connection_without_delays(server.endpoint, min_speed=10_000, speed_window=0.2)
        with pytest.raises(RetryableError, match="bytes per second") as caught:
            OPERATIONS[operation](Storage(connection), tmp_path)
    assert caught.value.reason is FailureReason.StorageUnavailable
    assert server.num_requests <= 2 * NUM_ATTEMPTS


@pytest.mark.timeout(60)
def test_a_download_of_a_few_bytes_per_request_is_given_up(s3_env, tmp_path):
    """Each request brings the download forward, but the whole would take months."""
    headers = {"ETag": '"etag"', "Content-Length": "8000000"}

    def respond(request):
        first = request.headers["range"].removeprefix("bytes=").partition("-")[0]
        return Answer(206, b"123", {**headers, "Content-Range": f"bytes {first}-7999999/8000000"})

    with hostile_server(respond) as server, pytest.raises(RetryableError) as caught:
        Storage(connection_without_delays(server.endpoint)).fetch_file("s3://bucket/a", tmp_path / "a")
    assert caught.value.reason is FailureReason.StorageUnavailable
    assert server.num_requests <= NUM_ATTEMPTS + 1


@pytest.mark.timeout(60)
@pytest.mark.parametrize("operation", ["fetch a prefix", "names", "the last checkpoint"])
def test_a_listing_without_end_is_given_up(operation, s3_env, monkeypatch, tmp_path):
    monkeypatch.setattr(bucket, "MAX_PAGES", 7)
    numbers = itertools.count()

    def respond(request):
        page = (
            f"<IsTruncated>true</IsTruncated><NextContinuationToken>{next(numbers)}</NextContinuationToken>"
        )
        return Answer(body=f"<ListBucketResult>{page}</ListBucketResult>".encode())

    with hostile_server(respond) as server, pytest.raises(UserError, match=r"more objects .* than 7 pages"):
        OPERATIONS[operation](Storage(connection_without_delays(server.endpoint)), tmp_path)
    assert server.num_requests == 7


@pytest.mark.timeout(60)
@pytest.mark.parametrize("operation", ["names", "read JSON", "the last checkpoint", "check writable"])
def test_a_response_without_end_is_given_up(operation, closing, s3_env, monkeypatch, tmp_path):
    monkeypatch.setattr(bounded_session, "MAX_RESPONSE_SIZE", 1_000_000)
    monkeypatch.setattr(bucket, "MAX_MANIFEST_SIZE", 1_000_000)

    def pour(send: Callable[[bytes], object]) -> None:
        send(ENDLESS_HEAD)
        while not closing.is_set():
            send(b" " * 65536)

    with hostile_server(lambda request: pour) as server:
        storage = Storage(connection_without_delays(server.endpoint))
        try:
            found = OPERATIONS[operation](storage, tmp_path)
        except FinscribeError as error:
            assert "more than 1" in error.message
        else:
            assert operation == "read JSON"
            assert found is None


def test_a_downloaded_manifest_of_any_size_is_not_read_into_memory(monkeypatch, tmp_path):
    files = [{"path": str(number), "size": 1, "sha256": ""} for number in range(100)]
    (tmp_path / "manifest.json").write_text(json.dumps({"files": files}))
    assert manifest.read_manifest(tmp_path) is not None

    monkeypatch.setattr(manifest, "MAX_MANIFEST_SIZE", 1000)
    assert manifest.read_manifest(tmp_path) is None
