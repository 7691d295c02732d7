"""Bounds the responses of an endpoint: a lowest speed, and a largest size of those read into memory.

Without it, an endpoint that sends a byte now and then, or a response without end, would hold a run, and its
GPU, for ever: the timeout of a connection only ends one that sends nothing at all.
"""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ConnectionClosedError, HTTPClientError, ReadTimeoutError
from urllib3.exceptions import HTTPError, ProtocolError

from finscribe_trainer.storage.errors import BadResponseError

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

MAX_RESPONSE_SIZE = 16 * 1024 * 1024
"""Bytes of a response that is read into memory, such as a page of a listing (1,000 keys, at most 4 MB)."""
_BLOCK = 64 * 1024


class BoundedSession:
    """Sends requests through a session of botocore, and bounds the bodies of its responses.

    Args:
        session: the session of a client.
        min_speed: bytes per second.
        window: seconds over which the speed is measured; only waiting for bytes counts.
        clock: seconds.
    """

    def __init__(
        self, session: Any, min_speed: int, window: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._session = session
        self._min_speed = min_speed
        self._window = window
        self._clock = clock

    def send(self, request: "AWSPreparedRequest") -> "AWSResponse":
        """Send a request; like the wrapped session, read the body unless the request is to stream it."""
        streams = request.stream_output
        request.stream_output = True  # the wrapped session would read the body without bounds
        response: AWSResponse = self._session.send(request)
        request.stream_output = streams
        response.raw = _Body(response.raw, request.url, self._min_speed, self._window, self._clock)
        if not streams:
            _ = response.content  # reads it
        return response

    def close(self) -> None:
        """Close the session's connections."""
        self._session.close()


class SlowResponseError(ReadTimeoutError):
    """A body arrived slower than the least speed; botocore repeats an upload's request after it, too."""

    fmt = 'Only {speed} bytes per second came from "{endpoint_url}", less than {least}'


class _Body:
    """The part of urllib3's HTTPResponse that botocore uses."""

    def __init__(self, raw: Any, url: str, min_speed: int, window: float, clock: Callable[[], float]) -> None:
        self._raw = raw
        self._url = url
        self._min_speed = min_speed
        self._window = window
        self._clock = clock
        self._seconds = 0.0
        self._num_bytes = 0

    def read(self, amt: int | None = None) -> bytes:
        """Up to `amt` bytes, less only at the end; as all of a body of no more than MAX_RESPONSE_SIZE."""
        if amt is None:
            return b"".join(self.stream())
        blocks = []
        while amt and (block := self._read_some(amt)):
            blocks.append(block)
            amt -= len(block)
        return b"".join(blocks)

    def stream(self, amt: int = _BLOCK) -> Iterator[bytes]:
        """The whole body, for a response that is read into memory.

        Raises:
            BadResponseError: it is larger than MAX_RESPONSE_SIZE.
        """
        size = 0
        while block := self._read_some(amt):
            size += len(block)
            if size > MAX_RESPONSE_SIZE:
                self.close()
                raise BadResponseError(f"the response has more than {MAX_RESPONSE_SIZE} bytes")
            yield block

    def _read_some(self, amt: int) -> bytes:
        """What arrives next, without waiting for more.

        Raises:
            SlowResponseError: the bytes of the last window arrived too slowly.
        """
        before = self._clock()
        try:
            data: bytes = self._raw.read1(amt)
        except ProtocolError as error:
            raise ConnectionClosedError(error=error, endpoint_url=self._url) from error
        except HTTPError as error:
            raise HTTPClientError(error=error) from error
        self._seconds += self._clock() - before
        self._num_bytes += len(data)
        if data and self._seconds >= self._window:
            if self._num_bytes < self._min_speed * self._window:
                self.close()
                speed = round(self._num_bytes / self._seconds)
                raise SlowResponseError(endpoint_url=self._url, speed=speed, least=self._min_speed)
            self._seconds, self._num_bytes = 0.0, 0
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)
