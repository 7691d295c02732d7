"""An HTTP proxy between a client and the API server that fails on command, the same way for the same seed."""

import asyncio
import contextlib
import random
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web
from yarl import URL

from tools.kube.apiserver import ApiServer

_HOP_HEADERS = {
    *("host", "connection", "transfer-encoding"),
    *("content-length", "content-encoding", "accept-encoding"),
}


class Fault(Enum):
    """What happens to a request instead of the API server's response."""

    Reset = auto()
    """The connection is closed without a response."""
    ResetAfterwards = auto()
    """The API server does what was requested, and the connection is closed without a response."""
    Stall = auto()
    """Nothing is sent, and the connection stays open."""
    StallAfterHeaders = auto()
    """The response begins, with status 200 and without a body, and the connection stays open."""
    Cut = auto()
    """The response ends in the middle of its body, as if it was complete."""
    Truncate = auto()
    """The connection is closed in the middle of the response's body."""


Choice = Fault | int | Sequence[Fault | int] | None
"""A fault, an HTTP status, or several of which one is chosen at random each time; None: no fault."""
REASONS = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
"""What an API server calls these statuses."""


@dataclass
class Faults:
    """The faults of the proxy; change them at any time."""

    watches: Choice = None
    """What happens to each new watch."""
    watch_share: float = 1.0
    """The share of `watches` that fail; the rest are forwarded."""
    others: Choice = None
    """What happens to all other requests."""
    share: float = 1.0
    """The share of `others` that fail; the rest are forwarded."""
    only: str = ""
    """Only requests whose path contains this text fail."""


@dataclass
class Killing:
    """Kills the client, a process, at each of its writes.

    Only writes that the API server accepts count, so that each life of the process makes progress: one that
    repeats a write in vain, such as that of an Event that exists, is killed at a later one.
    """

    kill: Callable[[], None]
    """Sends SIGKILL."""
    before: bool
    """Whether the write never arrives; otherwise the client never gets its response."""
    limit: int
    """The largest number of kills."""
    num_kills: int = 0
    life: int = 0
    """How often the client was started again."""
    is_dead: bool = False
    """Whether the client was killed, and not started again."""
    _has_written: bool = False
    """Whether a write was accepted since the client was started."""

    def revive(self) -> None:
        """Forward requests again, before the client is started again."""
        self.is_dead = self._has_written = False
        self.life += 1

    def at_request(self) -> None:
        """Kill it if it may not send this write. One life has one write, so that no write is lost twice."""
        if self.before and self._has_written:
            self._kill()

    def at_response(self, status: int) -> None:
        """Kill it if it may not receive this response."""
        if status < HTTPStatus.MULTIPLE_CHOICES:
            self._has_written = True
            if not self.before:
                self._kill()

    def _kill(self) -> None:
        if self.num_kills < self.limit:
            self.num_kills += 1
            self.is_dead = True
            self.kill()


class FaultyProxy:
    """Forwards http://127.0.0.1:<port> to an API server, in a thread of its own.

    Args:
        server: The API server.
        seed: Of its choices.
        tls: The certificate with which it is https instead.
    """

    def __init__(self, server: ApiServer, seed: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.faults = Faults()
        self.num_faults = 0
        self.killing: Killing | None = None
        self.requests: list[tuple[str, str]] = []
        """Method and path of all of them."""
        self._target = server.url.rstrip("/")
        self._context = ssl.create_default_context(cafile=str(server.ca))
        self._random = random.Random(seed)
        self._watches: dict[int, web.Request] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = 0
        self._run(self._open())
        self.accept()

    def kubeconfig(self, original: Path) -> Path:
        """A kubeconfig with the credentials of another one that connects to the proxy."""
        config = yaml.safe_load(original.read_text())
        config["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{self.port}"}
        path = original.with_suffix(f".{self.port}")
        path.write_text(yaml.safe_dump(config))
        return path

    def refuse(self) -> None:
        """Refuse connections, and close those that are open."""
        self._run(self._runner.cleanup())

    def accept(self) -> None:
        """Accept connections, again after `refuse`."""
        self._run(self._listen())

    def replace_certificate(self, tls: ssl.SSLContext) -> None:
        """Close all connections, and accept new ones with another certificate."""
        self.refuse()
        self._tls = tls
        self.accept()

    def drop_watches(self) -> None:
        """Close the connections of all open watches, and of requests that are stalled."""
        self._run(self._drop())

    def close(self) -> None:
        """Stop listening and close all connections."""
        self._run(self._runner.cleanup())
        self._run(self._session.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=30)

    async def _open(self) -> None:
        connector = aiohttp.TCPConnector(limit=0, ssl=self._context)
        timeout = aiohttp.ClientTimeout(total=None)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=True)

    async def _listen(self) -> None:
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._tls, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _drop(self) -> None:
        for request in list(self._watches.values()):
            _close(request)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        is_watch = "watch" in request.query
        self.requests.append((request.method, request.path))
        if self.killing is not None and request.method != "GET":
            return await self._forward_unless_killed(request, self.killing)
        fault = self._choose(request, is_watch)
        if isinstance(fault, int):
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": fault}
            status |= {"reason": REASONS[fault], "message": "a fault of the test"}
            return web.json_response(status, status=fault)
        if fault in (None, Fault.Cut, Fault.Truncate):
            return await self._forward(request, is_watch, fault)
        if fault is Fault.ResetAfterwards and not is_watch:
            await self._request(request)
        if fault in (Fault.Reset, Fault.ResetAfterwards):
            _close(request)
        elif fault is Fault.StallAfterHeaders:
            await web.StreamResponse().prepare(request)
        self._watches[id(request)] = request
        try:
            await asyncio.Event().wait()
        finally:
            del self._watches[id(request)]
        raise AssertionError("unreachable")

    async def _forward_unless_killed(self, request: web.Request, killing: Killing) -> web.StreamResponse:
        if not killing.is_dead:
            killing.at_request()
        if not killing.is_dead:
            life = killing.life
            response = await self._forward(request, is_watch=False, fault=None)
            if not killing.is_dead and killing.life == life:
                killing.at_response(response.status)
                if not killing.is_dead:
                    return response
        _close(request)
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    def _choose(self, request: web.Request, is_watch: bool) -> Fault | int | None:
        faults = self.faults
        if faults.only not in request.path:
            return None
        chosen, share = (faults.watches, faults.watch_share) if is_watch else (faults.others, faults.share)
        if chosen is None or self._random.random() >= share:
            return None
        self.num_faults += 1
        return self._random.choice(chosen) if isinstance(chosen, Sequence) else chosen

    async def _forward(self, request: web.Request, is_watch: bool, fault: Fault | None) -> web.StreamResponse:
        if not is_watch:
            status, headers, content = await self._request(request)
            half = content[: len(content) // 2]
            if fault is not Fault.Truncate:
                return web.Response(status=status, headers=headers, body=half if fault else content)
            response = web.StreamResponse(status=status, headers=headers)
            response.content_length = len(content)
            await response.prepare(request)
            await response.write(half)
            _close(request)
            return response
        async with self._upstream(request) as upstream:
            response = web.StreamResponse(status=upstream.status, headers=_kept(upstream.headers))
            await response.prepare(request)
            self._watches[id(request)] = request
            try:
                async for chunk in upstream.content.iter_any():
                    if request.transport is None or request.transport.is_closing():
                        break
                    if fault:
                        await response.write(chunk[: len(chunk) // 2])
                        break
                    await response.write(chunk)
                if fault is Fault.Truncate:
                    _close(request)
            finally:
                del self._watches[id(request)]
            return response

    async def _request(self, request: web.Request) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the API server's response."""
        async with self._upstream(request) as upstream:
            return upstream.status, _kept(upstream.headers), await upstream.read()

    @asynccontextmanager
    async def _upstream(self, request: web.Request) -> AsyncIterator[aiohttp.ClientResponse]:
        url = URL(f"{self._target}{request.raw_path}", encoded=True)
        body = await request.read() or None
        async with self._session.request(
            request.method, url, headers=_kept(request.headers), data=body
        ) as upstream:
            yield upstream


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _HOP_HEADERS}


def _close(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


@contextmanager
def faulty_proxy(
    server: ApiServer, seed: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[FaultyProxy]:
    """A proxy to an API server; arguments are those of `FaultyProxy`."""
    proxy = FaultyProxy(server, seed, tls)
    try:
        yield proxy
    finally:
        with contextlib.suppress(Exception):
            proxy.close()
