"""The three clients compared: FinScribe's storage, boto3's transfer manager, and its CRT client."""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import boto3
from boto3.s3.transfer import TransferConfig, create_transfer_manager
from botocore.config import Config
from botocore.session import Session

import finscribe_trainer.storage.upload  # noqa: F401 - imported lazily otherwise, while the clock runs
from finscribe_core.constants import MANIFEST_FILE
from finscribe_core.trainer_config import StorageEndpoint
from finscribe_trainer.storage import RetryPolicy, Storage
from finscribe_trainer.storage.manifest import Manifest, ManifestFile, sha256_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

NUM_REQUESTS = 8
"""Concurrent requests of FinScribe and of boto3's own transfer manager; the CRT chooses for itself."""
ATTEMPTS = 6


@dataclass(frozen=True)
class Settings:
    """Settings that are the same for all clients."""

    endpoint: str
    bucket: str
    read_timeout: float
    """Seconds without a byte after which a request is retried."""


class Client(Protocol):
    """One of the clients compared."""

    def upload(self, folder: Path, prefix: str) -> None:
        """Upload every file of a folder, then a manifest with their SHA-256."""

    def download(self, keys: list[str], folder: Path) -> None:
        """Download objects, each to a file of its own name."""


class FinScribe:
    """`finscribe_trainer.storage`."""

    def __init__(self, settings: Settings, cancel: threading.Event) -> None:
        policy = RetryPolicy(max_attempts=ATTEMPTS, read_timeout=settings.read_timeout)
        endpoint = StorageEndpoint(endpoint=settings.endpoint)
        self._storage = Storage.from_config(endpoint, cancel=cancel, policy=policy)
        self._bucket = settings.bucket

    def upload(self, folder: Path, prefix: str) -> None:
        """See Client."""
        self._storage.publish_run(folder, f"s3://{self._bucket}/{prefix}")

    def download(self, keys: list[str], folder: Path) -> None:
        """See Client."""
        self._storage.fetch_objects([(f"s3://{self._bucket}/{key}", folder / Path(key).name) for key in keys])


class TransferManager:
    """boto3's transfer manager, with one manager for all files; the CRT's has the same methods."""

    def __init__(self, settings: Settings, *, crt: bool) -> None:
        self._client = _plain_client(settings)
        self._bucket = settings.bucket
        self._manager: Any = (
            _crt_manager(settings)
            if crt
            else create_transfer_manager(
                self._client,
                TransferConfig(max_concurrency=NUM_REQUESTS, preferred_transfer_client="classic"),
            )
        )

    def upload(self, folder: Path, prefix: str) -> None:
        """See Client."""
        entries, futures = [], []
        with self._manager as manager:
            for path in sorted(path for path in folder.iterdir() if path.is_file()):
                entries.append(ManifestFile(path=path.name, size=path.stat().st_size, sha256=sha256_of(path)))
                futures.append(manager.upload(str(path), self._bucket, f"{prefix}/{path.name}"))
            for future in futures:
                future.result()
        text = Manifest(files=entries).model_dump_json()
        self._client.put_object(Bucket=self._bucket, Key=f"{prefix}/{MANIFEST_FILE}", Body=text.encode())

    def download(self, keys: list[str], folder: Path) -> None:
        """See Client."""
        with self._manager as manager:
            futures = [manager.download(self._bucket, key, str(folder / Path(key).name)) for key in keys]
            for future in futures:
                future.result()


def make_client(name: str, settings: Settings, cancel: threading.Event) -> Client:
    """The client of a name: `finscribe`, `boto3` or `crt`."""
    if name == "finscribe":
        return FinScribe(settings, cancel)
    return TransferManager(settings, crt=name == "crt")


def _plain_client(settings: Settings) -> "S3Client":
    config = Config(
        s3={"addressing_style": "path"},
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
        connect_timeout=10,
        read_timeout=settings.read_timeout,
        max_pool_connections=NUM_REQUESTS + 2,
    )
    return boto3.client("s3", endpoint_url=settings.endpoint, config=config)


def _crt_manager(settings: Settings) -> Any:
    """The CRT's manager; boto3 itself can't make it for an endpoint without TLS or of another provider."""
    from s3transfer import crt  # noqa: PLC0415 - needs the package awscrt, which only this client has

    session = Session()
    credentials = session.get_credentials()
    serializer = crt.BotocoreCRTRequestSerializer(
        session,
        {
            "region_name": "us-east-1",
            "endpoint_url": settings.endpoint,
            "config": Config(s3={"addressing_style": "path"}),
        },
    )
    provider = crt.BotocoreCRTCredentialsWrapper(credentials).to_crt_credentials_provider()
    return crt.CRTTransferManager(crt.create_s3_crt_client("us-east-1", provider, use_ssl=False), serializer)
