"""Reads an object as a file, by requests of its byte ranges: nothing is written to the disk."""

import io
from typing import Any, BinaryIO, cast

from finscribe_core.errors import FailureReason, RetryableError
from finscribe_trainer.storage.connection import Connection
from finscribe_trainer.storage.errors import ErrorKind, TruncatedBodyError, classify
from finscribe_trainer.storage.responses import check_starts_at
from finscribe_trainer.storage.uri import ObjectUri
from finscribe_trainer.storage.version import FileVersion

_PIECE_SIZE = 8 * 1024 * 1024
"""Bytes requested at once, and held in memory."""


def open_object(connection: Connection, version: FileVersion) -> BinaryIO:
    """Open an object for reading; see `Storage.open`."""
    return cast("BinaryIO", io.BufferedReader(_ObjectReader(connection, version), _PIECE_SIZE))


class _ObjectReader(io.RawIOBase):
    """A seekable file whose every read is a request."""

    def __init__(self, connection: Connection, version: FileVersion) -> None:
        self._connection = connection
        self._version = version
        self._uri = ObjectUri.parse(version.name)
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._version.size}[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), self._version.size - self._position)
        if wanted <= 0:
            return 0
        view[:wanted] = self._request(self._position, wanted)
        self._position += wanted
        return wanted

    def _request(self, first: int, num_bytes: int) -> bytes:
        """The bytes from `first` on.

        Raises:
            RetryableError: StorageUnavailable: the object was replaced, or the storage can't be reached.
        """
        uri, version = self._uri, self._version

        def request() -> bytes:
            response = self._connection.client.get_object(
                Bucket=uri.bucket,
                Key=uri.key,
                Range=f"bytes={first}-{first + num_bytes - 1}",
                IfMatch=f'"{version.tag}"',
            )
            body = response["Body"]
            try:
                check_starts_at(response, first)
                data: bytes = body.read(num_bytes)
            finally:
                body.close()
            if len(data) < num_bytes:
                raise TruncatedBodyError(f"the body ended at byte {first + len(data)} of {version.size}")
            return data

        def request_this_version() -> bytes:
            try:
                return request()
            except Exception as error:
                if classify(error) is not ErrorKind.Changed:
                    raise
                raise RetryableError(
                    FailureReason.StorageUnavailable,
                    f"{uri} was replaced while it was read.",
                    "Try again when its upload is complete.",
                ) from error

        data = self._connection.call(uri, FailureReason.DatasetNotFound, request_this_version)
        self._connection.observer.transferred("download", num_bytes)
        return data
