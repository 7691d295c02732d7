"""Uploads files with boto3's transfer manager: in parts, in parallel, with retries and cancellation.

Parts are streamed from the file: memory does not grow with its size. The module is slow to import.
"""

from collections.abc import Iterable
from concurrent.futures import CancelledError
from pathlib import Path

from botocore.exceptions import ClientError
from s3transfer.futures import TransferFuture
from s3transfer.manager import TransferConfig, TransferManager
from s3transfer.subscribers import BaseSubscriber

from finscribe_core.errors import FailureReason
from finscribe_trainer.storage.connection import NUM_WORKERS, Connection
from finscribe_trainer.storage.errors import ErrorKind, classify, error_code
from finscribe_trainer.storage.manifest import ManifestFile, sha256_of
from finscribe_trainer.storage.progress import TransferProgress
from finscribe_trainer.storage.thread_pool import DaemonThreadPool, Task
from finscribe_trainer.storage.uri import ObjectUri

PART_SIZE = 8 * 1024 * 1024
"""Size of a file's parts, in bytes; s3transfer makes them larger where there would be more than 10,000."""
_MISSING = FailureReason.OutputNotFound


class FolderUpload:
    """Uploads the files of a folder; each call of `upload_file` is a task for `run_parallel`.

    Attributes:
        entries: what the manifest holds about the files uploaded so far, by path below the folder.
    """

    def __init__(self, connection: Connection, folder: Path, progress: TransferProgress) -> None:
        self.entries: dict[str, ManifestFile] = {}
        self._connection = connection
        self._folder = folder
        self._progress = progress
        self._transfers: list[TransferFuture] = []
        self._manager = TransferManager(
            connection.upload_client,
            TransferConfig(
                multipart_threshold=PART_SIZE + 1,
                multipart_chunksize=PART_SIZE,
                max_request_concurrency=NUM_WORKERS,
            ),
            executor_cls=DaemonThreadPool,  # type: ignore[arg-type] # any class with submit() and shutdown() will do
        )

    def upload_file(self, path: str, target: ObjectUri) -> Iterable[Task]:
        """Upload the file at `path` below the folder, and compute its SHA-256 at the same time."""
        source = self._folder / path
        size = source.stat().st_size
        subscriber = _ProgressSubscriber(self._connection, self._progress)
        transfer = self._manager.upload(str(source), target.bucket, target.key, subscribers=[subscriber])
        self._transfers.append(transfer)
        sha256 = sha256_of(source)
        try:
            transfer.result()
        except CancelledError:  # because another file failed; that task raises the error
            return []
        except Exception as error:
            if not self._is_stored(error, target, size):
                self._cancel_all()
                raise self._translate(error, target) from error
        self.entries[path] = ManifestFile(path=path, size=size, sha256=sha256)
        return []

    def close(self) -> None:
        """Cancel what is still under way, delete the parts uploaded so far, and end the threads.

        After an interruption nothing is waited for.
        """
        self._cancel_all()
        if not self._connection.cancel.is_set():
            self._manager.shutdown()

    def _cancel_all(self) -> None:
        for transfer in list(self._transfers):  # other threads may append
            transfer.cancel()

    def _is_stored(self, error: Exception, target: ObjectUri, size: int) -> bool:
        """Whether the object was stored despite the error.

        When the response to CompleteMultipartUpload is lost, the repeated request finds no such upload.
        """
        if not isinstance(error, ClientError) or error_code(error.response) != "NoSuchUpload":
            return False
        client = self._connection.client
        found = self._connection.call(
            target, _MISSING, lambda: client.head_object(Bucket=target.bucket, Key=target.key)
        )
        return found.get("ContentLength") == size

    def _translate(self, error: Exception, target: ObjectUri) -> Exception:
        transient = classify(error) is ErrorKind.Transient
        attempts = self._connection.policy.max_attempts if transient else 1
        return self._connection.translate(error, target, _MISSING, attempts)


class _ProgressSubscriber(BaseSubscriber):
    def __init__(self, connection: Connection, progress: TransferProgress) -> None:
        self._connection = connection
        self._progress = progress

    def on_progress(self, future: TransferFuture, bytes_transferred: int, **_: object) -> None:
        """Count bytes as they are sent; a negative number takes back those of a failed request."""
        del future
        self._connection.check_cancelled()
        self._progress.advance(bytes_transferred)
        if bytes_transferred > 0:
            self._connection.observer.transferred("upload", bytes_transferred)
