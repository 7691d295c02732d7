"""An HTTP proxy between a trainer and an S3 server that fails on command, the same way for the same seed."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from random import Random
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from tests.support.s3 import S3Server

_HOP_HEADERS = {"connection", "transfer-encoding", "content-length"}
_SLOW_SECONDS = 2.0
_WRITES = ("PUT", "POST")


class Fault(Enum):
    """What happens to a request, if not an HTTP status."""

    Reset = auto()
    """The connection is closed without a response."""
    ResetAfterwards = auto()
    """The server does what was requested, and the connection is closed without a response."""
    Truncate = auto()
    """The connection is closed in the middle of the response's body."""
    Damage = auto()
    """A byte of the response's body is another one."""
    Slow = auto()
    """The response comes two seconds later."""


CODES = {
    403: "RequestTimeTooSkewed",
    408: "RequestTimeout",
    429: "TooManyRequests",
    500: "InternalError",
    503: "SlowDown",
}
"""S3's error codes with these statuses."""


@dataclass
class Faults:
    """What fails; change it at any time."""

    choice: Sequence[Fault | int] = ()
    share: float = 0.0
    """Of all requests."""
    gone: bool = False
    """Whether every connection is closed."""


class S3Proxy:
    """Forwards http://127.0.0.1:<port> to an S3 server, in a thread of its own.

    Attributes:
        port: the port it listens on.
        faults: what fails.
        num_faults: requests that have failed.
        num_writes: objects that were written or parts of them, and uploads that were begun or completed.
        at_write: called with the number of a write before it is forwarded; False if it is not to be.
    """

    def __init__(self, server: S3Server, seed: int) -> None:
        self.faults = Faults()
        self.num_faults = self.num_writes = 0
        self.at_write: Callable[[int], bool] | None = None
        self._target = server.endpoint
        self._random = Random(seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = 0
        self._run(self._open())

    @property
    def endpoint(self) -> str:
        """URL of the proxy."""
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop listening and close all connections."""
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=30)

    async def _open(self) -> None:
        self._session = aiohttp.ClientSession(auto_decompress=False)
        app = web.Application(client_max_size=2**28)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def _close(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        try:
            body = await request.read()
        except OSError:  # the client was killed
            return _closed(request)
        if request.method in _WRITES and not self._may_write():
            return _closed(request)
        fault = self._choose()
        if isinstance(fault, int):
            return web.Response(status=fault, text=_error(CODES[fault]), content_type="application/xml")
        if fault is Fault.Reset:
            return _closed(request)
        return await self._forward_with(fault, request, body)

    async def _forward_with(
        self, fault: Fault | None, request: web.Request, body: bytes
    ) -> web.StreamResponse:
        status, headers, content = await self._forward(request, body)
        if fault is Fault.ResetAfterwards:
            return _closed(request)
        if fault is Fault.Slow:
            await asyncio.sleep(_SLOW_SECONDS)
        if fault is Fault.Damage and content:
            middle = len(content) // 2
            content = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        if fault is not Fault.Truncate or request.method == "HEAD":
            return web.Response(status=status, headers=headers, body=content)
        response = web.StreamResponse(status=status, headers=headers)
        response.content_length = len(content)
        await response.prepare(request)
        await response.write(content[: len(content) // 2])
        return _closed(request)

    def _may_write(self) -> bool:
        self.num_writes += 1
        return self.at_write is None or self.at_write(self.num_writes)

    def _choose(self) -> Fault | int | None:
        faults = self.faults
        if faults.gone:
            self.num_faults += 1
            return Fault.Reset
        if not faults.choice or self._random.random() >= faults.share:
            return None
        self.num_faults += 1
        return self._random.choice(faults.choice)

    async def _forward(self, request: web.Request, body: bytes) -> tuple[int, dict[str, str], bytes]:
        url = URL(f"{self._target}{request.raw_path}", encoded=True)
        async with self._session.request(
            request.method, url, headers=_kept(request.headers), data=body or None
        ) as response:
            headers = _kept(response.headers)
            if request.method == "HEAD":  # has the length of a body that it lacks
                headers["Content-Length"] = response.headers.get("Content-Length", "0")
            return response.status, headers, await response.read()


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _HOP_HEADERS}


def _error(code: str) -> str:
    return f"<Error><Code>{code}</Code><Message>a fault of the test</Message></Error>"


def _closed(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


@contextmanager
def s3_proxy(server: S3Server, seed: int) -> Iterator[S3Proxy]:
    """A proxy to an S3 server."""
    proxy = S3Proxy(server, seed)
    try:
        yield proxy
    finally:
        proxy.close()
