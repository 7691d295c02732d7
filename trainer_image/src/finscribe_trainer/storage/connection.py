"""Creates the S3 clients, and repeats failed requests with exponential backoff."""

import base64
import hashlib
import logging
import os
import random
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from finscribe_core.errors import FailureReason, RetryableError, UserError
from finscribe_core.texts import redact_urls
from finscribe_core.trainer_config import StorageEndpoint
from finscribe_trainer.runtime.certificates import trust_private_authorities
from finscribe_trainer.storage.errors import ErrorKind, classify, translate
from finscribe_trainer.storage.uri import ObjectUri

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse
    from botocore.loaders import Loader
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")
log = logging.getLogger(__name__)

NUM_WORKERS = 8
"""Concurrent requests."""
_HASH_BLOCK = 1024 * 1024
_ATTEMPT = re.compile(r"attempt=(\d+)")
_PERMISSIONS = {
    **dict.fromkeys(("GetObject", "HeadObject"), "read"),
    "ListObjectsV2": "list",
    **dict.fromkeys(("PutObject", "CreateMultipartUpload", "UploadPart"), "write"),
    **dict.fromkeys(("CompleteMultipartUpload", "AbortMultipartUpload"), "write"),
    "DeleteObject": "delete",
}
"""What credentials must permit for an operation."""
_BUCKET = "finscribe_bucket"
"""Key of a request's context."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often and after which delays a request is repeated: exponential backoff with full jitter.

    With the defaults an endpoint that does not answer is given up after about 15 seconds of delays, plus
    timeouts; the Job then retries the whole run.
    """

    max_attempts: int = 6
    """Consecutive failures, without a byte received in between, after which a request is given up."""
    first_delay: float = 0.5
    """Seconds."""
    max_delay: float = 20.0
    """Seconds."""
    connect_timeout: float = 10.0
    """Seconds."""
    read_timeout: float = 30.0
    """Seconds without a byte of the response."""
    min_speed: int = 4096
    """Bytes per second at which a body must arrive, at least, on average over `speed_window`."""
    speed_window: float = 60.0
    """Seconds."""
    sleep: Callable[[float], object] | None = None
    """Waits so many seconds; by default on the cancel event, so that cancellation ends the wait."""

    def delay(self, failures: int) -> float:
        """Seconds to wait after so many consecutive failures."""
        longest = min(self.max_delay, self.first_delay * 2.0 ** (failures - 1))
        return random.uniform(longest / 2, longest)  # noqa: S311 - jitter, no secret


class TransferObserver(Protocol):
    """Counts bytes and retries; `RunReporter` is one."""

    def transferred(self, direction: str, num_bytes: int) -> None:
        """`num_bytes` were moved in `direction`: "download" or "upload"."""

    def retried(self) -> None:
        """A request failed and is repeated."""


class NoObserver:
    """Counts nothing."""

    def transferred(self, direction: str, num_bytes: int) -> None:
        """See TransferObserver."""

    def retried(self) -> None:
        """See TransferObserver."""


@dataclass
class Connection:
    """The clients of one endpoint, with retry policy, observer and cancel event."""

    client: "S3Client"
    """For all requests but those of `upload_client`: repeated by `call`, not by botocore."""
    upload_client: "S3Client"
    """For s3transfer, whose requests botocore repeats: `call` can't reach them."""
    policy: RetryPolicy
    observer: TransferObserver
    cancel: threading.Event

    @classmethod
    def open(
        cls,
        config: StorageEndpoint,
        *,
        observer: TransferObserver | None = None,
        cancel: threading.Event | None = None,
        policy: RetryPolicy | None = None,
    ) -> "Connection":
        """Create the clients; no request is sent yet. See `Storage.from_config`."""
        trust_private_authorities()
        policy = policy or RetryPolicy()
        client = connect(config, policy)
        upload_client = connect(config, policy, max_attempts=policy.max_attempts)
        return cls(client, upload_client, policy, observer or NoObserver(), cancel or threading.Event())

    def __post_init__(self) -> None:
        self.upload_client.meta.events.register("before-send.s3", self._before_upload_request)
        self._granted: set[tuple[str, str]] = set()  # buckets, and what was permitted there
        for client in (self.client, self.upload_client):
            client.meta.events.register("before-parameter-build.s3", _remember_bucket)
            client.meta.events.register("after-call.s3", self._after_call)

    @property
    def endpoint(self) -> str:
        """The URL that requests go to."""
        return str(self.client.meta.endpoint_url)

    def call(self, uri: ObjectUri, missing: FailureReason, request: Callable[[], T]) -> T:
        """The result of a request, which is repeated after transient errors.

        Raises:
            UserError: access denied, not found (with reason `missing`), or wrong region.
            RetryableError: StorageUnavailable, StorageCredentialsExpired, DiskFull or Interrupted.
        """
        failures = 0
        while True:
            self.check_cancelled()
            try:
                return request()
            except Exception as error:
                failures += 1
                self.wait_or_give_up(error, failures, uri, missing)

    def wait_or_give_up(
        self, error: Exception, failures: int, uri: ObjectUri, missing: FailureReason
    ) -> None:
        """Wait before the next attempt; raise the translated error when there is none."""
        if classify(error) is not ErrorKind.Transient or failures >= self.policy.max_attempts:
            raise self.translate(error, uri, missing, failures) from error
        delay = self.policy.delay(failures)
        log.warning(
            "%s: %s: %s; try %d of %d in %.1f s",
            uri,
            type(error).__name__,
            error,
            failures + 1,
            self.policy.max_attempts,
            delay,
        )
        self.observer.retried()
        (self.policy.sleep or self.cancel.wait)(delay)
        self.check_cancelled()

    def translate(
        self, error: Exception, uri: ObjectUri, missing: FailureReason, failures: int = 1
    ) -> Exception:
        """The error that the run reports for an exception of a request."""
        tried = f" (tried {failures} times)" if failures > 1 else ""
        was_granted = self._was_granted(error, uri.bucket)
        return translate(error, f"{uri}{tried}", self.endpoint, missing, was_granted=was_granted)

    def _was_granted(self, error: Exception, bucket: str) -> bool:
        """Whether an earlier request needed the same permission; of credentials themselves, any request."""
        permission = _PERMISSIONS.get(getattr(error, "operation_name", ""))
        return (bucket, permission) in self._granted if permission else bool(self._granted)

    def _after_call(
        self, http_response: "AWSResponse", context: dict[str, Any], event_name: str, **_: object
    ) -> None:
        permission = _PERMISSIONS.get(event_name.rpartition(".")[2])
        if permission and http_response.status_code < HTTPStatus.MULTIPLE_CHOICES:
            self._granted.add((context.get(_BUCKET, ""), permission))

    def sleep(self, seconds: float) -> None:
        """Wait; raises as `check_cancelled` does when the cancel event is set."""
        self.cancel.wait(seconds)
        self.check_cancelled()

    def check_cancelled(self) -> None:
        """Raise when the cancel event is set.

        Raises:
            RetryableError: Interrupted.
        """
        if self.cancel.is_set():
            raise RetryableError(FailureReason.Interrupted, "The transfer was interrupted.")

    def _before_upload_request(self, request: "AWSPreparedRequest", event_name: str, **_: object) -> None:
        """Report a repeated request of s3transfer; refuse all but the cleanup after cancellation."""
        if not event_name.endswith(".AbortMultipartUpload"):
            self.check_cancelled()
        header = request.headers.get("amz-sdk-request", "")
        found = _ATTEMPT.search(header.decode() if isinstance(header, bytes) else header)
        if found and int(found[1]) > 1:
            url = str(request.url).partition("?")[0]
            log.warning("%s: sent again, try %s of %d", url, found[1], self.policy.max_attempts)
            self.observer.retried()


def _remember_bucket(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    context[_BUCKET] = params.get("Bucket", "")


def _follow_no_redirect(context: dict[str, Any], **_: object) -> None:
    """Keep botocore from looking for a bucket in AWS's other regions.

    It asks the endpoint for the bucket's region, which another endpoint redirects again, without end.
    """
    context.get("s3_redirect", {})["redirected"] = True


def connect(config: StorageEndpoint, policy: RetryPolicy, *, max_attempts: int = 1) -> "S3Client":
    """A client for the endpoint.

    The config takes precedence over the environment; credentials come from the environment only.
    With an endpoint, buckets are part of the path (few S3-compatible servers have wildcard DNS); on AWS they
    are part of the host name (except names with dots, which its certificates do not cover).

    Args:
        config: endpoint and region.
        policy: its timeouts.
        max_attempts: how often botocore sends a request at most.

    Raises:
        UserError: InvalidConfig: the endpoint, the region or another setting of the environment is unusable.
    """
    import boto3  # noqa: PLC0415 - slow to import, and not needed for a purely local run
    from botocore.config import Config  # noqa: PLC0415 - likewise
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - likewise
    from botocore.session import get_session  # noqa: PLC0415 - likewise

    from finscribe_trainer.storage.bounded_session import BoundedSession  # noqa: PLC0415 - likewise

    endpoint = config.endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    botocore_session = get_session()
    botocore_session.register_component("data_loader", _service_models())
    session = boto3.Session(botocore_session=botocore_session)
    region = config.region or os.environ.get("AWS_REGION") or session.region_name or "us-east-1"
    settings = Config(
        s3={"addressing_style": "path" if endpoint else "auto"},
        retries={"total_max_attempts": max_attempts, "mode": "standard"},
        connect_timeout=policy.connect_timeout,
        read_timeout=policy.read_timeout,
        max_pool_connections=NUM_WORKERS + 2,
        # Many S3-compatible servers don't support the newer checksum trailers; Content-MD5 is sent instead.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    if endpoint and set(endpoint) & set("@?#"):
        raise _unusable(f"The endpoint {endpoint} has a user, a password or a query.")
    try:
        client = session.client("s3", endpoint_url=endpoint, region_name=region, config=settings)
    except (ValueError, BotoCoreError) as error:  # no URL, no region's name, an unknown profile
        raise _unusable(f"There is no S3 client for the endpoint {endpoint}: {error}") from error
    if endpoint:
        client.meta.events.register("before-parameter-build.s3", _follow_no_redirect)
    for operation in ("PutObject", "UploadPart"):
        client.meta.events.register(f"provide-client-params.s3.{operation}", _add_content_md5)
    # A private name: botocore has no public way to read responses as they arrive.
    untyped: Any = client
    sender = untyped._endpoint
    sender.http_session = BoundedSession(sender.http_session, policy.min_speed, policy.speed_window)
    return client


def _unusable(message: str) -> UserError:
    return UserError(
        FailureReason.InvalidConfig,
        redact_urls(message),
        "Set storage.endpoint or AWS_ENDPOINT_URL to http(s)://host:port, AWS_REGION to a region's name; "
        "credentials belong in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    )


@cache
def _service_models() -> "Loader":
    """The loader of service models, shared by all clients: S3's takes 0.1 s to parse, and is cached there."""
    from botocore.loaders import create_loader  # noqa: PLC0415 - slow to import

    return create_loader()


def _add_content_md5(params: dict[str, Any], **_: object) -> None:
    """Add the header by which S3 detects a damaged body; buckets with Object Lock require it."""
    digest = hashlib.md5(usedforsecurity=False)
    body = params["Body"]
    if isinstance(body, bytes):
        digest.update(body)
    else:
        start = body.tell()
        while block := body.read(_HASH_BLOCK):
            digest.update(block)
        body.seek(start)
    params["ContentMD5"] = base64.b64encode(digest.digest()).decode()
