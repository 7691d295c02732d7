"""Transfers through a proxy that cuts or stalls connections between the client and a real S3 server."""

import io
import logging
import random
import threading
from pathlib import Path

import pytest
from botocore.awsrequest import AWSResponse
from urllib3 import HTTPResponse

from finscribe_core.errors import FailureReason, RetryableError
from finscribe_trainer.storage import Storage
from finscribe_trainer.storage.download import PIECE_SIZE
from finscribe_trainer.storage.uri import temporary_path
from tests.support.faulty_proxy import Fault, FaultyProxy, faulty_proxy
from tests.support.storage import (
    NUM_ATTEMPTS,
    CountingObserver,
    connection_without_delays,
    storage_without_delays,
)

SIZE = 3 * PIECE_SIZE + 12345
CONTENT = random.Random(7).randbytes(SIZE)
ALMOST_NOTHING = SIZE // 20
"""Headers, and the chunks in flight when a connection ends."""

NO_SUCH_UPLOAD = b"<Error><Code>NoSuchUpload</Code></Error>"


@pytest.fixture
def proxy(s3_env):
    with faulty_proxy(s3_env.port) as proxy:
        yield proxy


@pytest.fixture
def stored(s3_env, bucket) -> str:
    s3_env.client().put_object(Bucket=bucket, Key="model.safetensors", Body=CONTENT)
    return f"s3://{bucket}/model.safetensors"


@pytest.mark.parametrize("fault", [Fault.Cut, Fault.Stall])
def test_an_interrupted_download_continues_at_the_byte_where_it_stopped(fault, proxy, stored, tmp_path):
    observer = CountingObserver()
    proxy.fail_after(SIZE // 2, fault)

    path = storage_without_delays(proxy.endpoint, observer=observer).fetch_file(stored, tmp_path / "model")

    assert path.read_bytes() == CONTENT
    assert proxy.num_faults == 1
    assert observer.num_retries >= 1
    assert proxy.bytes_down < SIZE + ALMOST_NOTHING


def test_a_download_with_more_failures_than_attempts_succeeds_while_bytes_arrive(
    proxy: FaultyProxy, stored, tmp_path
):
    proxy.fail_after(SIZE // 10, Fault.Cut, times=3 * NUM_ATTEMPTS)

    path = storage_without_delays(proxy.endpoint).fetch_file(stored, tmp_path / "model")

    assert path.read_bytes() == CONTENT
    assert proxy.num_faults > NUM_ATTEMPTS


def test_a_download_given_up_is_resumed_by_the_next_call(proxy, stored, tmp_path):
    proxy.fail_after(SIZE // 2, Fault.Vanish)
    with pytest.raises(RetryableError, match=f"127.0.0.1:{proxy.port}") as caught:
        storage_without_delays(proxy.endpoint).fetch_file(stored, tmp_path / "model")
    assert caught.value.reason is FailureReason.StorageUnavailable
    assert not (tmp_path / "model").exists()
    proxy.heal()

    path = storage_without_delays(proxy.endpoint).fetch_file(stored, tmp_path / "model")

    assert path.read_bytes() == CONTENT
    assert proxy.bytes_down < SIZE + ALMOST_NOTHING
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_an_object_replaced_before_the_resumption_is_downloaded_from_the_beginning(
    proxy, stored, s3_env, bucket, tmp_path
):
    other = random.Random(8).randbytes(SIZE)
    proxy.fail_after(SIZE // 2, Fault.Vanish)
    with pytest.raises(RetryableError):
        storage_without_delays(proxy.endpoint).fetch_file(stored, tmp_path / "model")
    s3_env.client().put_object(Bucket=bucket, Key="model.safetensors", Body=other)
    proxy.heal()

    path = storage_without_delays(proxy.endpoint).fetch_file(stored, tmp_path / "model")

    assert path.read_bytes() == other


class Replacement:
    """Replaces an object as soon as its first bytes have arrived."""

    def __init__(self, replace) -> None:
        self._replace = replace
        self._first = threading.Lock()

    def expect(self, num_bytes: int) -> None:
        """See TransferProgress."""

    def advance(self, num_bytes: int) -> None:
        if self._first.acquire(blocking=False):
            self._replace()


def test_an_object_replaced_during_the_download_is_downloaded_from_the_beginning(
    proxy, stored, s3_env, bucket, tmp_path, caplog
):
    other = random.Random(8).randbytes(SIZE - 99)
    replacement = Replacement(
        lambda: s3_env.client().put_object(Bucket=bucket, Key="model.safetensors", Body=other)
    )

    with caplog.at_level(logging.WARNING):
        path = storage_without_delays(proxy.endpoint).fetch_file(stored, tmp_path / "model", replacement)

    assert path.read_bytes() == other
    assert "was replaced while it was downloaded" in caplog.text


def test_bytes_damaged_on_the_disk_are_detected_by_the_md5(proxy, stored, tmp_path, caplog):
    proxy.fail_after(SIZE // 2, Fault.Vanish)
    with pytest.raises(RetryableError):
        storage_without_delays(proxy.endpoint).fetch_file(stored, tmp_path / "model")
    with temporary_path(tmp_path / "model", "part").open("r+b") as part:
        part.write(b"damaged")
    proxy.heal()

    path = storage_without_delays(proxy.endpoint).fetch_file(stored, tmp_path / "model")

    assert path.read_bytes() == CONTENT
    assert "arrived with another MD5" in caplog.text


@pytest.mark.parametrize("fault", [Fault.Cut, Fault.Stall])
def test_a_part_whose_upload_fails_is_sent_again_and_the_retry_counted(
    fault, proxy, s3_env, bucket, tmp_path
):
    (tmp_path / "weights").write_bytes(CONTENT)
    observer = CountingObserver()
    proxy.fail_after(SIZE // 2, fault, direction="up")

    storage_without_delays(proxy.endpoint, observer=observer).publish_run(tmp_path, f"s3://{bucket}/run")

    assert proxy.num_faults == 1
    assert observer.num_retries >= 1
    assert SIZE <= observer.num_bytes["upload"] < 2 * SIZE
    assert s3_env.read(bucket, "run/weights") == CONTENT
    assert s3_env.keys(bucket) == ["run/manifest.json", "run/weights"]


def test_a_failed_upload_leaves_no_manifest(proxy, s3_env, bucket, tmp_path):
    storage = storage_without_delays(proxy.endpoint)
    (tmp_path / "weights").write_bytes(b"an earlier result")
    storage.publish_run(tmp_path, f"s3://{bucket}/run")
    (tmp_path / "weights").write_bytes(CONTENT)
    proxy.fail_after(SIZE // 2, Fault.Vanish, direction="up")

    with pytest.raises(RetryableError) as caught:
        storage.publish_run(tmp_path, f"s3://{bucket}/run")

    assert caught.value.reason is FailureReason.StorageUnavailable
    assert "run/manifest.json" not in s3_env.keys(bucket)


def test_the_parts_of_a_failed_upload_are_deleted(proxy, s3_env, bucket, tmp_path):
    (tmp_path / "weights").write_bytes(CONTENT)
    # Every attempt fails, while small requests, such as the one that deletes the parts, succeed.
    proxy.fail_after(PIECE_SIZE // 2, Fault.Cut, direction="up", times=1000)

    with pytest.raises(RetryableError):
        storage_without_delays(proxy.endpoint).publish_run(tmp_path, f"s3://{bucket}/run")

    assert s3_env.client().list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


@pytest.mark.parametrize("forgets", [False, True], ids=["like AWS", "like MinIO"])
def test_an_upload_whose_last_response_is_lost_succeeds(forgets, proxy, s3_env, bucket, tmp_path):
    """AWS answers a repeated CompleteMultipartUpload as before, MinIO with NoSuchUpload."""
    (tmp_path / "weights").write_bytes(CONTENT)
    proxy.lose_response(rb"POST /\S+\?uploadId=")
    connection = connection_without_delays(proxy.endpoint, read_timeout=30.0)
    repeated = []

    def answer_repeated_request(request, **_):
        if b"attempt=1" in request.headers["amz-sdk-request"]:
            return None
        repeated.append(request)
        return AWSResponse(
            request.url, 404, {}, HTTPResponse(io.BytesIO(NO_SUCH_UPLOAD), preload_content=False)
        )

    if forgets:
        connection.upload_client.meta.events.register(
            "before-send.s3.CompleteMultipartUpload", answer_repeated_request
        )

    Storage(connection).publish_run(tmp_path, f"s3://{bucket}/run")

    assert proxy.num_faults == 1
    assert len(repeated) == forgets
    assert s3_env.read(bucket, "run/weights") == CONTENT
    assert "run/manifest.json" in s3_env.keys(bucket)


class Cancellation:
    """Sets the cancel event as soon as the first bytes were moved."""

    def __init__(self, cancel: threading.Event) -> None:
        self._cancel = cancel

    def expect(self, num_bytes: int) -> None:
        """See TransferProgress."""

    def advance(self, num_bytes: int) -> None:
        self._cancel.set()


def test_the_parts_of_a_cancelled_upload_are_deleted(s3_env, bucket, tmp_path):
    (tmp_path / "weights").write_bytes(CONTENT)
    cancel = threading.Event()
    storage = storage_without_delays(s3_env.endpoint, cancel=cancel)

    with pytest.raises(RetryableError) as caught:
        storage.publish_run(tmp_path, f"s3://{bucket}/run", Cancellation(cancel))

    assert caught.value.reason is FailureReason.Interrupted
    assert s3_env.keys(bucket) == []
    assert s3_env.client().list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


@pytest.mark.parametrize("direction", ["down", "up"])
def test_cancellation_ends_a_stalled_transfer(direction, proxy, stored, bucket, tmp_path):
    cancel = threading.Event()
    storage = storage_without_delays(proxy.endpoint, cancel=cancel)
    proxy.fail_after(SIZE // 2, Fault.Stall, direction=direction, times=1000)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "weights").write_bytes(CONTENT)
    threading.Timer(0.2, cancel.set).start()

    with pytest.raises(RetryableError) as caught:
        if direction == "down":
            storage.fetch_file(stored, tmp_path / "model")
        else:
            storage.publish_run(tmp_path / "out", f"s3://{bucket}/run")

    assert caught.value.reason is FailureReason.Interrupted
    assert not Path(tmp_path / "model").exists()
