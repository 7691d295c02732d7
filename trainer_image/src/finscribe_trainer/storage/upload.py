"""One file to one object: hashed, in parts, retried; visible only when complete.

A worker holds one part (8 MiB, more only for files above 80 GB) in memory: 64 MiB with all eight at work.
"""

import base64
import hashlib
import logging
import threading
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from finscribe_core.errors import FailureReason
from finscribe_trainer.storage.connection import Connection
from finscribe_trainer.storage.failures import error_code
from finscribe_trainer.storage.manifest import ManifestFile, sha256_of
from finscribe_trainer.storage.progress import TransferProgress
from finscribe_trainer.storage.uri import ObjectUri
from finscribe_trainer.storage.workers import Task

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

log = logging.getLogger(__name__)

PART_SIZE = 8 * 1024 * 1024
_MAX_PARTS = 10_000
MISSING = FailureReason.OutputNotFound


class Upload:
    """Sends one file; `start` and what it returns are tasks for `run_parallel`."""

    def __init__(
        self, connection: Connection, source: Path, target: ObjectUri, progress: TransferProgress
    ) -> None:
        self._connection = connection
        self._source = source
        self._target = target
        self._progress = progress
        self._size = source.stat().st_size
        self._part_size = max(PART_SIZE, -(-self._size // _MAX_PARTS))
        self._lock = threading.Lock()
        self._parts: dict[int, CompletedPartTypeDef] = {}
        self._upload_id: str | None = None
        self.sha256 = ""
        progress.expect(self._size)

    def entry(self, path: str) -> ManifestFile:
        """The file's line in a manifest, once uploaded."""
        return ManifestFile(path=path, size=self._size, sha256=self.sha256)

    def start(self) -> Iterable[Task]:
        """Hash the file and send it; the parts of a big one come back as tasks."""
        self.sha256 = sha256_of(self._source)
        if self._size <= self._part_size:
            put_bytes(self._connection, self._target, self._source.read_bytes())
            self._progress.advance(self._size)
            return []
        created = self._connection.call(
            self._target,
            MISSING,
            lambda: self._connection.client.create_multipart_upload(
                Bucket=self._target.bucket, Key=self._target.key
            ),
        )
        self._upload_id = created["UploadId"]
        num_parts = -(-self._size // self._part_size)
        return [partial(self._send_part, number, num_parts) for number in range(1, num_parts + 1)]

    def abort(self) -> None:
        """Take back the parts of an unfinished upload, so that they cost nothing."""
        if self._upload_id is None:
            return
        try:
            self._connection.client.abort_multipart_upload(
                Bucket=self._target.bucket, Key=self._target.key, UploadId=self._upload_id
            )
        except Exception as error:  # the upload's own error is the one to report
            log.warning("%s: parts of an unfinished upload stay behind: %s", self._target, error)

    def _send_part(self, number: int, num_parts: int) -> Iterable[Task]:
        with self._source.open("rb") as file:
            file.seek((number - 1) * self._part_size)
            data = file.read(self._part_size)
        upload_id = self._upload_id or ""
        answer = self._connection.call(
            self._target,
            MISSING,
            lambda: self._connection.client.upload_part(
                Bucket=self._target.bucket,
                Key=self._target.key,
                UploadId=upload_id,
                PartNumber=number,
                Body=data,
                ContentMD5=content_md5(data),
            ),
        )
        self._connection.observer.transferred("upload", len(data))
        self._progress.advance(len(data))
        with self._lock:
            self._parts[number] = {"PartNumber": number, "ETag": answer["ETag"]}
            is_last = len(self._parts) == num_parts
        if is_last:
            self._connection.call(self._target, MISSING, lambda: self._complete(upload_id))
            self._upload_id = None
        return []

    def _complete(self, upload_id: str) -> None:
        """Make the object visible. S3 may have done so although its answer got lost: then the upload is
        gone, and the object there.
        """
        from botocore.exceptions import ClientError  # noqa: PLC0415 - slow to import

        client, bucket, key = self._connection.client, self._target.bucket, self._target.key
        parts = [self._parts[number] for number in sorted(self._parts)]
        try:
            client.complete_multipart_upload(
                Bucket=bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts}
            )
        except ClientError as error:
            if error_code(error.response) != "NoSuchUpload":
                raise
            if client.head_object(Bucket=bucket, Key=key)["ContentLength"] != self._size:
                raise


def put_bytes(connection: Connection, target: ObjectUri, data: bytes) -> None:
    """Write a small object, whole or not at all."""
    connection.call(
        target,
        MISSING,
        lambda: connection.client.put_object(
            Bucket=target.bucket, Key=target.key, Body=data, ContentMD5=content_md5(data)
        ),
    )
    connection.observer.transferred("upload", len(data))


def content_md5(data: bytes) -> str:
    """The Content-MD5 header, by which S3 refuses a body damaged on its way."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
