"""The S3 client, and the patience every request is made with."""

import logging
import os
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from finscribe_core.errors import FailureReason, RetryableError
from finscribe_core.trainer_config import StorageEndpoint
from finscribe_trainer.storage.failures import Problem, classify, translate

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")
log = logging.getLogger(__name__)

NUM_WORKERS = 8
"""Requests under way at once."""


@dataclass(frozen=True)
class RetryPolicy:
    """How patient a request is: exponential backoff with full jitter, in seconds.

    With the defaults a dead endpoint is given up after about a quarter of a minute of waiting, plus
    timeouts; the run as a whole is then tried again by whoever started it.
    """

    tries: int = 6
    """Failures in a row, without a byte gained, after which a request is given up."""
    first_delay: float = 0.5
    max_delay: float = 20.0
    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    """Longest silence in the middle of an answer."""
    sleep: Callable[[float], object] | None = None
    """How to wait; on the cancel event when unset, so that an interruption ends the wait."""

    def delay(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row."""
        longest = min(self.max_delay, self.first_delay * 2.0 ** (failures - 1))
        return random.uniform(longest / 2, longest)  # noqa: S311 - jitter, no secret


class TransferObserver(Protocol):
    """Told about every byte and every retry; `RunReporter` is one."""

    def transferred(self, direction: str, num_bytes: int) -> None:
        """`num_bytes` went in `direction`: "download" or "upload"."""

    def retried(self) -> None:
        """A request failed and is tried again."""


class NoObserver:
    """Tells nobody."""

    def transferred(self, direction: str, num_bytes: int) -> None:
        """Nothing to do."""

    def retried(self) -> None:
        """Nothing to do."""


@dataclass
class Connection:
    """A client with what every transfer needs beside it."""

    client: "S3Client"
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    observer: TransferObserver = field(default_factory=NoObserver)
    cancel: threading.Event = field(default_factory=threading.Event)

    @property
    def endpoint(self) -> str:
        """The URL requests go to."""
        return str(self.client.meta.endpoint_url)

    def call(self, uri: object, missing: FailureReason, request: Callable[[], T]) -> T:
        """The answer to a request, tried again while the failure may pass.

        Raises:
            UserError: access denied, not found (with reason `missing`), or wrong region.
            RetryableError: StorageUnavailable, DiskFull or Interrupted.
        """
        failures = 0
        while True:
            self.check_cancelled()
            try:
                return request()
            except Exception as error:
                failures += 1
                self.wait_or_give_up(error, failures, uri, missing)

    def wait_or_give_up(self, error: Exception, failures: int, uri: object, missing: FailureReason) -> None:
        """Wait before the next try, or raise what `error` means when there should be none."""
        if classify(error) is not Problem.Transient or failures >= self.policy.tries:
            raise self.translate(error, uri, missing, failures) from error
        delay = self.policy.delay(failures)
        log.warning(
            "%s: %s: %s; try %d of %d in %.1f s",
            uri,
            type(error).__name__,
            error,
            failures + 1,
            self.policy.tries,
            delay,
        )
        self.observer.retried()
        (self.policy.sleep or self.cancel.wait)(delay)
        self.check_cancelled()

    def translate(
        self, error: Exception, uri: object, missing: FailureReason, failures: int = 1
    ) -> Exception:
        """The error as what the run reports."""
        tried = f" (tried {failures} times)" if failures > 1 else ""
        return translate(error, f"{uri}{tried}", self.endpoint, missing)

    def check_cancelled(self) -> None:
        """Stop here when the process was asked to.

        Raises:
            RetryableError: Interrupted.
        """
        if self.cancel.is_set():
            raise RetryableError(FailureReason.Interrupted, "The transfer was interrupted.")


def connect(config: StorageEndpoint, policy: RetryPolicy) -> "S3Client":
    """A client for the endpoint; the config wins over the environment, credentials come from there alone.

    Buckets are part of the path when an endpoint is set (S3-compatible servers seldom have wildcard
    DNS), and of the host name on AWS (but for names with dots, which its certificates do not cover).
    """
    import boto3  # noqa: PLC0415 - slow to import, and not needed for a purely local run
    from botocore.config import Config  # noqa: PLC0415 - likewise

    endpoint = config.endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    session = boto3.Session()
    region = config.region or os.environ.get("AWS_REGION") or session.region_name or "us-east-1"
    settings = Config(
        s3={"addressing_style": "path" if endpoint else "auto"},
        # `Connection.call` does all retrying: it can be interrupted, counted and tested.
        retries={"total_max_attempts": 1, "mode": "standard"},
        connect_timeout=policy.connect_timeout,
        read_timeout=policy.read_timeout,
        max_pool_connections=NUM_WORKERS + 2,
        # Many S3-compatible servers don't know the newer checksum trailers; Content-MD5 is sent instead.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return session.client("s3", endpoint_url=endpoint, region_name=region, config=settings)
