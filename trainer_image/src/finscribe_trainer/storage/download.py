"""Downloads an object to a file: in pieces, resumable by a later process, verified, then renamed.

The bytes are written to a temporary file; a second one holds the object's ETag and size and the progress of
each piece. Pieces are requested with `If-Match`: if the object is replaced, the download starts over. One
worker holds one chunk (256 KiB) in memory, whatever the size of the object.
"""

import errno
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from finscribe_core.atomic_files import write_atomically
from finscribe_core.errors import FailureReason, classify_disk_error
from finscribe_trainer.storage.connection import Connection
from finscribe_trainer.storage.errors import (
    ErrorKind,
    ObjectChangedError,
    TruncatedBodyError,
    classify,
    disk_full,
    error_code,
)
from finscribe_trainer.storage.etag import etag_of_file
from finscribe_trainer.storage.progress import TransferProgress
from finscribe_trainer.storage.responses import (
    check_starts_at,
    etag,
    md5_of_etag,
    modified,
    size_of_body,
    size_of_object,
)
from finscribe_trainer.storage.thread_pool import Task
from finscribe_trainer.storage.uri import ObjectUri, temporary_path
from finscribe_trainer.storage.version import FileVersion, object_version

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

log = logging.getLogger(__name__)

PIECE_SIZE = 8 * 1024 * 1024
"""Bytes requested at once."""
_CHUNK_SIZE = 256 * 1024


class _PartialDownload(BaseModel):
    """The content of the second temporary file."""

    etag: str
    md5: str | None
    """See `md5_of_etag`."""
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
    """Downloads one object; `start` and the tasks it returns are for `run_parallel`.

    `when_done` is called with the object, its file and its version when it has been downloaded.

    Attributes:
        version: the version of the object that is downloaded; None until `start`, or if there is no object.
    """

    def __init__(
        self,
        connection: Connection,
        source: ObjectUri,
        target: Path,
        missing: FailureReason,
        progress: TransferProgress,
        when_done: Callable[[ObjectUri, Path, FileVersion], object] = lambda *_: None,
    ) -> None:
        self.version: FileVersion | None = None
        self._connection = connection
        self._source = source
        self._target = target
        self._part_file = temporary_path(target, "part")
        self._state_file = temporary_path(target, "part.json")
        self._missing = missing
        self._progress = progress
        self._lock = threading.Lock()
        self._state: _PartialDownload
        self._num_unfinished = 0
        self._when_done = when_done

    def start(self) -> Iterable[Task]:
        """Begin, or resume what an earlier process began; returns one task per piece still missing."""
        with self._disk_errors():
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
        state = self._state
        self.version = object_version(str(self._source), state.etag, state.size, state.modified)
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
        size = found.get("ContentLength", -1)
        if stat.st_size != size or int(stat.st_mtime) != modified(found):
            return False
        self.version = object_version(str(self._source), found.get("ETag", ""), size, modified(found))
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
        response, self._state = self._connection.call(self._source, self._missing, self._request_first)
        size = self._state.size
        self._progress.expect(size)
        self._state_file.unlink(missing_ok=True)
        self._reserve(size)
        if response is None:
            return
        try:
            self._copy(response, 0)
        except Exception as error:
            # The piece is unfinished, and requested again like the others.
            if classify(error) not in (ErrorKind.Transient, ErrorKind.Refused):
                raise
        if self._state.unfinished:
            self._save_state()

    def _request_first(self) -> "tuple[GetObjectOutputTypeDef | None, _PartialDownload]":
        """The first piece, None for an empty object, which has no ranges; and the download's state."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 - slow to import

        try:
            response = self._connection.client.get_object(
                Bucket=self._source.bucket, Key=self._source.key, Range=f"bytes=0-{PIECE_SIZE - 1}"
            )
        except ClientError as error:
            if error_code(error.response) == "InvalidRange":
                return None, _PartialDownload(
                    etag="", md5=None, size=0, modified=0, piece_size=PIECE_SIZE, positions=[]
                )
            raise
        size = size_of_object(response)
        self._check_room(size)
        return response, _PartialDownload(
            etag=etag(response),
            md5=md5_of_etag(response),
            size=size,
            modified=modified(response),
            piece_size=PIECE_SIZE,
            positions=list(range(0, size, PIECE_SIZE)),
        )

    def _check_room(self, size: int) -> None:
        """Check that the disk has room for the object, before anything is allocated for its pieces."""
        free = shutil.disk_usage(self._target.parent).free
        if size > free:
            message = f"it has {size:,} bytes, of which {free:,} are free"
            raise OSError(errno.ENOSPC, message, str(self._part_file))

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
    def _disk_errors(self) -> Iterator[None]:
        """Raise errors of the disk as FinscribeErrors; if it is full, delete the download before."""
        try:
            yield
        except OSError as error:
            if classify(error) is ErrorKind.DiskFull:
                self.discard()
                raise disk_full(str(self._target), error) from error
            raise classify_disk_error(error) or error from error

    def _fetch_piece(self, index: int) -> Iterable[Task]:
        with self._disk_errors():
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
                # An endpoint that sends a few bytes each time must not be asked for ever.
                has_advanced = self._state.positions[index] - before >= _CHUNK_SIZE
                failures = 1 if has_advanced else failures + 1
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
        check_starts_at(response, first)
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
        if self._state.md5 is not None and not self._is_verified(self._state.md5):
            self.discard()
            raise ObjectChangedError(f"{self._source} arrived with another MD5 than {self._state.md5}")
        if self._state.modified:
            os.utime(self._part_file, (self._state.modified, self._state.modified))
        self._part_file.replace(self._target)
        self._state_file.unlink(missing_ok=True)
        if self.version is not None:
            self._when_done(self._source, self._target, self.version)

    def _is_verified(self, md5: str) -> bool:
        """Whether the file has the MD5; an object of parts whose sizes the endpoint does not tell passes."""
        num_parts = int(md5.partition("-")[2] or 0)
        if not num_parts:
            return etag_of_file(self._part_file) == md5
        first = self._part_size(1)
        if first is None:
            log.info("%s: not verified, as the endpoint does not tell the sizes of its parts", self._source)
            return True
        equal = [first] * (num_parts - 1)  # as nearly every program uploads; the last one is the rest
        if etag_of_file(self._part_file, equal) == md5:
            return True
        sizes = [self._part_size(number) or 0 for number in range(1, num_parts)]
        return sizes != equal and etag_of_file(self._part_file, sizes) == md5

    def _part_size(self, number: int) -> int | None:
        """Size of a part of an object that was uploaded in parts; None where the endpoint does not tell."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 - slow to import

        def request() -> int | None:
            try:
                found = self._connection.client.head_object(
                    Bucket=self._source.bucket, Key=self._source.key, PartNumber=number
                )
            except ClientError as error:
                if classify(error) is ErrorKind.Refused:  # this server has no such request
                    return None
                raise
            size = size_of_body(found)
            return None if size >= self._state.size else size

        return self._connection.call(self._source, self._missing, request)
