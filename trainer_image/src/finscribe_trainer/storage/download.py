"""Downloads an object to a file: in pieces, resumable by a later process, verified, then renamed.

While `<file>.part` is written, `<file>.part.json` holds the object's ETag and size and the progress of each
piece. Pieces are requested with `If-Match`: if the object is replaced, the download starts over. A worker
holds one chunk (256 KiB) in memory, whatever the object's size.
"""

import errno
import hashlib
import logging
import os
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from finscribe_core.atomic_files import write_atomically
from finscribe_core.errors import FailureReason, RetryableError
from finscribe_trainer.storage.connection import Connection
from finscribe_trainer.storage.errors import (
    ErrorKind,
    ObjectChangedError,
    TruncatedBodyError,
    classify,
    disk_full,
    error_code,
)
from finscribe_trainer.storage.progress import TransferProgress
from finscribe_trainer.storage.thread_pool import Task
from finscribe_trainer.storage.uri import ObjectUri

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

log = logging.getLogger(__name__)

PIECE_SIZE = 8 * 1024 * 1024
"""Bytes requested at once."""
_CHUNK_SIZE = 256 * 1024
_MD5_ETAG = re.compile(r'"?([0-9a-f]{32})"?')


class _PartialDownload(BaseModel):
    """The content of `<file>.part.json`."""

    etag: str
    md5: str | None
    """MD5 of the object if its ETag is one: uploaded in one part and not encrypted with a KMS key."""
    size: int
    modified: int
    """Seconds since 1970; set as the file's own, by which a later call recognizes it."""
    piece_size: int
    positions: list[int]
    """For each piece, the offset in the file up to which it was written."""

    def end(self, index: int) -> int:
        """Offset of the end of a piece."""
        return min((index + 1) * self.piece_size, self.size)

    @property
    def unfinished(self) -> list[int]:
        """Indexes of the pieces that are not complete."""
        return [i for i, position in enumerate(self.positions) if position < self.end(i)]


class Download:
    """Downloads one object; `start` and the tasks it returns are for `run_parallel`."""

    def __init__(
        self,
        connection: Connection,
        source: ObjectUri,
        target: Path,
        missing: FailureReason,
        progress: TransferProgress,
    ) -> None:
        self._connection = connection
        self._source = source
        self._target = target
        self._part_file = target.with_name(target.name + ".part")
        self._state_file = target.with_name(target.name + ".part.json")
        self._missing = missing
        self._progress = progress
        self._lock = threading.Lock()
        self._state: _PartialDownload
        self._num_unfinished = 0

    def start(self) -> Iterable[Task]:
        """Begin, or resume what an earlier process began; returns one task per piece still missing."""
        with self._discarded_when_disk_full():
            return self._start()

    def discard(self) -> None:
        """Delete the files of an unfinished download."""
        self._part_file.unlink(missing_ok=True)
        self._state_file.unlink(missing_ok=True)

    def _start(self) -> list[Task]:
        if self._target.exists() and self._is_current():
            return []
        self._target.parent.mkdir(parents=True, exist_ok=True)
        state = self._read_state()
        if state is None:
            self._begin()
        else:
            self._state = state
            self._progress.expect(state.size)
            num_bytes = sum(p - i * state.piece_size for i, p in enumerate(state.positions))
            self._progress.advance(num_bytes)
            log.info("%s: resuming at %d of %d bytes", self._source, num_bytes, state.size)
        unfinished = self._state.unfinished
        self._num_unfinished = len(unfinished)
        if not unfinished:
            self._finish()
        return [partial(self._fetch_piece, index) for index in unfinished]

    def _is_current(self) -> bool:
        """Whether the file has the object's size and modification time, which rsync compares, too."""
        found = self._connection.call(
            self._source,
            self._missing,
            lambda: self._connection.client.head_object(Bucket=self._source.bucket, Key=self._source.key),
        )
        stat = self._target.stat()
        size = found["ContentLength"]
        if stat.st_size != size or int(stat.st_mtime) != int(found["LastModified"].timestamp()):
            return False
        self._progress.expect(size)
        self._progress.advance(size)
        return True

    def _read_state(self) -> _PartialDownload | None:
        try:
            state = _PartialDownload.model_validate_json(self._state_file.read_text())
            return state if self._part_file.stat().st_size == state.size else None
        except FileNotFoundError:
            return None
        except ValidationError:
            log.warning("%s is damaged: downloading %s from its beginning", self._state_file, self._source)
            return None

    def _save_state(self) -> None:
        with self._lock:
            write_atomically(self._state_file, self._state.model_dump_json().encode())

    def _begin(self) -> None:
        """Request the first piece; the response also has the size and ETag of the whole object."""
        response = self._connection.call(self._source, self._missing, self._request_first)
        size = 0 if response is None else _total_size(response)
        etag = "" if response is None else response["ETag"]
        self._state = _PartialDownload(
            etag=etag,
            md5=None if response is None else _md5(response),
            size=size,
            modified=0 if response is None else int(response["LastModified"].timestamp()),
            piece_size=PIECE_SIZE,
            positions=list(range(0, size, PIECE_SIZE)),
        )
        self._progress.expect(size)
        self._state_file.unlink(missing_ok=True)
        self._reserve(size)
        if response is None:
            return
        try:
            self._copy(response, 0)
        except Exception as error:
            # The piece is unfinished, and requested again like the others.
            if classify(error) is not ErrorKind.Transient:
                raise
        if self._state.unfinished:
            self._save_state()

    def _request_first(self) -> "GetObjectOutputTypeDef | None":
        """The first piece; None for an empty object, which has no ranges."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 - slow to import

        try:
            return self._connection.client.get_object(
                Bucket=self._source.bucket, Key=self._source.key, Range=f"bytes=0-{PIECE_SIZE - 1}"
            )
        except ClientError as error:
            if error_code(error.response) == "InvalidRange":
                return None
            raise

    def _reserve(self, size: int) -> None:
        """Allocate the file: if the disk is too small, this fails before anything is downloaded."""
        with self._part_file.open("wb") as file:
            file.truncate(size)
            if size and hasattr(os, "posix_fallocate"):
                try:
                    os.posix_fallocate(file.fileno(), 0, size)
                except OSError as error:
                    if error.errno not in (
                        errno.EOPNOTSUPP,
                        errno.EINVAL,
                    ):  # not supported by this file system
                        raise

    @contextmanager
    def _discarded_when_disk_full(self) -> Iterator[None]:
        """When the disk is full, delete the download, which can't be completed, and raise DiskFull."""
        try:
            yield
        except OSError as error:
            if classify(error) is not ErrorKind.DiskFull:
                raise
            self.discard()
            raise disk_full(str(self._target), error) from error

    def _fetch_piece(self, index: int) -> Iterable[Task]:
        with self._discarded_when_disk_full():
            self._read_to_end(index)
            self._save_state()
            with self._lock:
                self._num_unfinished -= 1
                is_last = self._num_unfinished == 0
            if is_last:
                self._finish()
        return []

    def _read_to_end(self, index: int) -> None:
        failures = 0
        while self._state.positions[index] < self._state.end(index):
            before = self._state.positions[index]
            try:
                self._copy(self._request_piece(index), index)
            except Exception as error:
                if classify(error) is ErrorKind.DiskFull:
                    raise
                if classify(error) is ErrorKind.Changed:
                    self.discard()
                    raise ObjectChangedError(
                        f"{self._source} was replaced while it was downloaded"
                    ) from error
                self._save_state()
                failures = 1 if self._state.positions[index] > before else failures + 1
                self._connection.wait_or_give_up(error, failures, self._source, self._missing)

    def _request_piece(self, index: int) -> "GetObjectOutputTypeDef":
        self._connection.check_cancelled()
        first, last = self._state.positions[index], self._state.end(index) - 1
        response = self._connection.client.get_object(
            Bucket=self._source.bucket,
            Key=self._source.key,
            Range=f"bytes={first}-{last}",
            IfMatch=self._state.etag,
        )
        if first and not response.get("ContentRange", "").startswith(f"bytes {first}-"):
            # Another range, written at this offset, would damage the file unnoticed.
            raise RetryableError(
                FailureReason.StorageUnavailable,
                f"{self._connection.endpoint} returned another range of {self._source} than requested.",
                "The server must support ranged requests.",
            )
        return response

    def _copy(self, response: "GetObjectOutputTypeDef", index: int) -> None:
        """Write a response body to its offset in the file, chunk by chunk."""
        end = self._state.end(index)
        body = response["Body"]
        with self._part_file.open("r+b") as file:
            try:
                while (position := self._state.positions[index]) < end:
                    self._connection.check_cancelled()
                    chunk = body.read(min(_CHUNK_SIZE, end - position))
                    if not chunk:
                        raise TruncatedBodyError(f"the body ended at byte {position} of {end}")
                    os.pwrite(file.fileno(), chunk, position)
                    self._state.positions[index] = position + len(chunk)
                    self._connection.observer.transferred("download", len(chunk))
                    self._progress.advance(len(chunk))
            finally:
                body.close()

    def _finish(self) -> None:
        """Verify the MD5 if it is known, then rename the file to its final name."""
        if self._state.md5 is not None:
            found = _md5_of(self._part_file)
            if found != self._state.md5:
                self.discard()
                raise ObjectChangedError(f"{self._source} arrived with MD5 {found}, not {self._state.md5}")
        if self._state.modified:
            os.utime(self._part_file, (self._state.modified, self._state.modified))
        self._part_file.replace(self._target)
        self._state_file.unlink(missing_ok=True)


def _total_size(response: "GetObjectOutputTypeDef") -> int:
    """Size of the object by `Content-Range: bytes 0-99/12345`, or of the body if the range was ignored."""
    content_range = response.get("ContentRange")
    return int(content_range.rpartition("/")[2]) if content_range else response["ContentLength"]


def _md5(response: "GetObjectOutputTypeDef") -> str | None:
    """The object's MD5 if its ETag is one (not after multipart uploads, nor with KMS or customer keys)."""
    encrypted = response.get("ServerSideEncryption", "AES256") != "AES256"
    match = _MD5_ETAG.fullmatch(response["ETag"])
    return None if encrypted or response.get("SSECustomerAlgorithm") or match is None else match[1]


def _md5_of(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_SIZE):
            digest.update(chunk)
    return digest.hexdigest()
