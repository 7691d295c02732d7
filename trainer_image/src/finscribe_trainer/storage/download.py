"""One object to one file: in pieces, resumable, verified, and moved into place at the end.

Beside the growing `<file>.part` lies `<file>.part.json`: which object it is (ETag, size) and how far
each piece has come. Pieces are read with `If-Match`, so a replaced object is noticed, not mixed.
A worker holds one chunk (256 KiB) in memory, whatever the object's size.
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

from finscribe_core.errors import FailureReason, RetryableError
from finscribe_trainer.storage.connection import Connection
from finscribe_trainer.storage.failures import (
    ObjectChangedError,
    Problem,
    TruncatedBodyError,
    classify,
    disk_full,
    error_code,
)
from finscribe_trainer.storage.progress import TransferProgress
from finscribe_trainer.storage.uri import ObjectUri
from finscribe_trainer.storage.workers import Task

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

log = logging.getLogger(__name__)

PIECE_SIZE = 8 * 1024 * 1024
_CHUNK_SIZE = 256 * 1024
_MD5_ETAG = re.compile(r'"?([0-9a-f]{32})"?')


class _Part(BaseModel):
    """What `<file>.part.json` says."""

    etag: str
    md5: str | None
    """MD5 of the object where its ETag is one: stored in one part and not encrypted with a KMS key."""
    size: int
    modified: int
    """Seconds since 1970; becomes the file's own, by which a later fetch knows it again."""
    piece_size: int
    positions: list[int]
    """For each piece, the offset up to which it is there."""

    def end(self, index: int) -> int:
        return min((index + 1) * self.piece_size, self.size)

    @property
    def unfinished(self) -> list[int]:
        return [i for i, position in enumerate(self.positions) if position < self.end(i)]


class Download:
    """Fetches one object; `start` and what it returns are tasks for `run_parallel`."""

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
        self._part: _Part
        self._num_open = 0

    def start(self) -> Iterable[Task]:
        """Begin, or go on where an earlier process stopped; the rest comes back as tasks."""
        with self._disk_watched():
            return self._start()

    def _start(self) -> list[Task]:
        if self._target.exists() and self._is_current():
            return []
        self._target.parent.mkdir(parents=True, exist_ok=True)
        part = self._read_state()
        if part is None:
            self._begin()
        else:
            self._part = part
            self._progress.expect(part.size)
            there = sum(p - i * part.piece_size for i, p in enumerate(part.positions))
            self._progress.advance(there)
            log.info("%s: going on at %d of %d bytes", self._source, there, part.size)
        unfinished = self._part.unfinished
        self._num_open = len(unfinished)
        if not unfinished:
            self._finish()
        return [partial(self._fetch_piece, index) for index in unfinished]

    def discard(self) -> None:
        """Forget what is there of an unfinished download."""
        self._part_file.unlink(missing_ok=True)
        self._state_file.unlink(missing_ok=True)

    def _is_current(self) -> bool:
        """Whether the file is the object: same size, same time of change (as rsync has it)."""
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

    def _read_state(self) -> _Part | None:
        try:
            part = _Part.model_validate_json(self._state_file.read_text())
            return part if self._part_file.stat().st_size == part.size else None
        except FileNotFoundError:
            return None
        except ValidationError:
            log.warning("%s is damaged: fetching %s from its beginning", self._state_file, self._source)
            return None

    def _save_state(self) -> None:
        with self._lock:
            draft = self._state_file.with_name(self._state_file.name + ".new")
            draft.write_text(self._part.model_dump_json())
            draft.replace(self._state_file)

    def _begin(self) -> None:
        """Ask for the first piece; the answer also tells what the whole object is."""
        response = self._connection.call(self._source, self._missing, self._request_first)
        size = 0 if response is None else _total_size(response)
        etag = "" if response is None else response["ETag"]
        self._part = _Part(
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
            # Tried again as a piece like any other; what can't be mended is raised there.
            if classify(error) is not Problem.Transient:
                raise
        if self._part.unfinished:
            self._save_state()

    def _request_first(self) -> "GetObjectOutputTypeDef | None":
        """The first piece; None for an object without content, of which no range can be asked."""
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
        """Take the room at once: a disk that is too small fails here, before anything is fetched."""
        with self._part_file.open("wb") as file:
            file.truncate(size)
            if size and hasattr(os, "posix_fallocate"):
                try:
                    os.posix_fallocate(file.fileno(), 0, size)
                except OSError as error:
                    if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # this file system can't reserve
                        raise

    @contextmanager
    def _disk_watched(self) -> Iterator[None]:
        """Report a full disk as such, and give its room back first.

        Logs, checkpoints and other programs need it more than a download that can't end here.
        """
        try:
            yield
        except OSError as error:
            if classify(error) is not Problem.DiskFull:
                raise
            self.discard()
            raise disk_full(str(self._target), error) from error

    def _fetch_piece(self, index: int) -> Iterable[Task]:
        with self._disk_watched():
            self._read_to_end(index)
            self._save_state()
            with self._lock:
                self._num_open -= 1
                is_last = self._num_open == 0
            if is_last:
                self._finish()
        return []

    def _read_to_end(self, index: int) -> None:
        failures = 0
        while self._part.positions[index] < self._part.end(index):
            before = self._part.positions[index]
            try:
                self._copy(self._request_piece(index), index)
            except Exception as error:
                if classify(error) is Problem.DiskFull:
                    raise
                if classify(error) is Problem.Changed:
                    self.discard()
                    raise ObjectChangedError(f"{self._source} was replaced while it was fetched") from error
                self._save_state()
                failures = 1 if self._part.positions[index] > before else failures + 1
                self._connection.wait_or_give_up(error, failures, self._source, self._missing)

    def _request_piece(self, index: int) -> "GetObjectOutputTypeDef":
        self._connection.check_cancelled()
        first, last = self._part.positions[index], self._part.end(index) - 1
        response = self._connection.client.get_object(
            Bucket=self._source.bucket,
            Key=self._source.key,
            Range=f"bytes={first}-{last}",
            IfMatch=self._part.etag,
        )
        if first and not response.get("ContentRange", "").startswith(f"bytes {first}-"):
            # Written at this place, another range would damage the file without a sign of it.
            raise RetryableError(
                FailureReason.StorageUnavailable,
                f"{self._connection.endpoint} answered with another part of {self._source} than asked for.",
                "The server must support ranged requests.",
            )
        return response

    def _copy(self, response: "GetObjectOutputTypeDef", index: int) -> None:
        """Write a body at its place, chunk by chunk."""
        end = self._part.end(index)
        body = response["Body"]
        with self._part_file.open("r+b") as file:
            try:
                while (position := self._part.positions[index]) < end:
                    self._connection.check_cancelled()
                    chunk = body.read(min(_CHUNK_SIZE, end - position))
                    if not chunk:
                        raise TruncatedBodyError(f"the body ended at byte {position} of {end}")
                    os.pwrite(file.fileno(), chunk, position)
                    self._part.positions[index] = position + len(chunk)
                    self._connection.observer.transferred("download", len(chunk))
                    self._progress.advance(len(chunk))
            finally:
                body.close()

    def _finish(self) -> None:
        """Compare with the object's MD5 where S3 tells it, then move into place."""
        if self._part.md5 is not None:
            found = _md5_of(self._part_file)
            if found != self._part.md5:
                self.discard()
                raise ObjectChangedError(f"{self._source} arrived with MD5 {found}, not {self._part.md5}")
        if self._part.modified:
            os.utime(self._part_file, (self._part.modified, self._part.modified))
        self._part_file.replace(self._target)
        self._state_file.unlink(missing_ok=True)


def _total_size(response: "GetObjectOutputTypeDef") -> int:
    """The whole object's size: `Content-Range: bytes 0-99/12345`, or the body's when ranges are unknown."""
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
