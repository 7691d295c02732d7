"""The HTTP side of the watches: lets kopf see only failures that it survives, and records them in `Watches`.

kopf watches for ever, but ends the process at some responses: when a kind or a permission is missing, when a
page token has expired, at a body that was cut, at an error within a stream. All of them pass. Its requests
therefore go through a session with this middleware, which turns

- a failed listing into a payload error, after which kopf lists again;
- a refused or cut stream into a payload error, after which kopf continues the stream;
- an error within a stream into "410 Gone", after which kopf lists again;
- a failed discovery into repeated requests;

and makes the next request of that kind and namespace wait.

kopf spends more time and memory on an object than the operator: a task, a queue, a copy. The objects of
listings and events are therefore handed to the operator here, and kopf sees only up to which version it has
watched. Its first listing, which would repeat the controller's, is empty and has the version of that one.
"""

import asyncio
import json
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

import aiohttp
import orjson
from yarl import URL

from finscribe_core.constants import GROUP, PLURAL, VERSION
from finscribe_operator.objects import Object
from finscribe_operator.watches import RESOURCES, Watches, WatchKey

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.25, 4.0
_ERROR = b'{"type":"ERROR"'
_GONE = b'{"type":"ERROR","object":{"kind":"Status","code":410}}\n'
_DISCOVERED = {
    "/api": "v1",
    "/api/v1": "pods",
    "/apis": GROUP,
    "/apis/batch/v1": "jobs",
    f"/apis/{GROUP}/{VERSION}": PLURAL,
}
"""What the responses must contain. kopf discovers kinds once, and never watches one that is missing then; a
CRD that was just created is served before it can be discovered."""


class Receiver(Protocol):
    """Takes in what was watched."""

    def __call__(self, obj: Object, *, deleted: bool = False) -> None:
        """A FineTuneJob, Job or Pod, or its deletion."""
        ...


class WatchMiddleware:
    """A client middleware of aiohttp for listings, streams and discovery."""

    def __init__(
        self,
        watches: Watches,
        read_headers: Callable[[], Mapping[str, str]],
        receive: Receiver,
    ) -> None:
        self._watches = watches
        self._read_headers = read_headers
        self._receive = receive
        self._failures: Counter[WatchKey | str] = Counter()

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send a request of kopf."""
        key = watch_key(request.url)
        if key is None:
            return await self._discover(request, handler)
        if self._failures[key]:
            await self._pause(key)
        is_stream, version = "watch" in request.url.query, 0
        if not is_stream and "continue" not in request.url.query:
            version = self._watches.listed(key)
        if version:
            request.url = request.url.update_query(limit="1")
        problem = ""
        try:
            response = await self._send(request, handler)
            if is_stream and response.status in (200, 410):
                return self._open(key, response)
            if response.status >= 300:
                problem = await _describe(response)
            elif version:
                await _replace_listing(response, version)
            else:
                problem = await _take_listing(response, self._receive)
        except (aiohttp.ClientError, OSError) as error:
            problem = f"{type(error).__name__}: {error}"
        if not problem:
            self._failures.pop(key, None)
            return response
        self._failures[key] += 1
        self._watches.failed(key, problem)
        raise aiohttp.ClientPayloadError(problem)

    async def _discover(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        path, logged = request.url.path, ""
        while True:
            try:
                response = await self._send(request, handler)
                if response.status == 404 and path not in _DISCOVERED:
                    return response  # kopf asks for groups that the operator does not need
                if response.status < 300:
                    problem = await _body_problem(response, _DISCOVERED.get(path, ""))
                else:
                    problem = await _describe(response)
            except (aiohttp.ClientError, OSError) as error:
                problem = f"{type(error).__name__}: {error}"
            if not problem:
                return response
            if problem != logged:
                logger.warning("Discovery failed, will retry", extra={"path": path, "error": problem})
            logged = problem
            self._failures[path] += 1
            await self._pause(path)

    async def _send(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        request.headers.update(self._read_headers())  # the token of a service account is replaced hourly
        return await handler(request)

    def _open(self, key: WatchKey, response: aiohttp.ClientResponse) -> aiohttp.ClientResponse:
        if response.status == 410:
            self._failures[key] += 1
            self._watches.require_listing(key)
            response.status = 200  # `_Stream` says "410 Gone"; kopf would end at the status
        self._watches.opened(key, response.close)
        stream: Any = _Stream(key, response, self._watches, self._failures, self._receive)
        response.content = stream
        return response

    async def _pause(self, key: WatchKey | str) -> None:
        seconds = min(FIRST_PAUSE_SECONDS * 2.0 ** min(self._failures[key], 8), MAX_PAUSE_SECONDS)
        await asyncio.sleep(seconds * random.uniform(0.75, 1.25))  # noqa: S311 - no secret depends on it


class _Stream:
    """The body of a watch stream, as complete lines."""

    def __init__(
        self,
        key: WatchKey,
        response: aiohttp.ClientResponse,
        watches: Watches,
        failures: Counter[WatchKey | str],
        receive: Receiver,
    ) -> None:
        self._key = key
        self._receive = receive
        self._close = response.close
        self._content = response.content
        self._watches = watches
        self._failures = failures

    def __getattr__(self, name: str) -> Any:
        """What aiohttp itself needs of the body."""
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Parts of the body that end with a line.

        Raises:
            aiohttp.ClientPayloadError: the body ended within a line.
        """
        rest = b""
        try:
            if self._watches.must_list(self._key):
                yield _GONE
                return
            async for chunk in self._content.iter_chunked(size):
                lines, newline, rest = (rest + chunk).rpartition(b"\n")
                events = lines.split(b"\n") if newline else []
                if not all(_is_event(line) for line in events):
                    raise aiohttp.ClientPayloadError("a line of the stream is no event")
                if _ERROR in lines and (problem := _error_in(lines)) is not None:
                    if problem:
                        self._failed(problem)
                    yield _GONE
                    return
                self._watches.received(self._key)
                self._failures.pop(self._key, None)
                if newline:
                    yield b"\n".join(_hand_on(event, self._receive) for event in events) + newline
        except (aiohttp.ClientError, OSError) as error:
            if not self._watches.must_list(self._key):
                self._failed(f"{type(error).__name__}: {error}")
            raise
        finally:
            self._watches.closed(self._key, self._close)
        if rest:
            self._failed("the stream ended within an event")
            raise aiohttp.ClientPayloadError("the stream ended within an event")

    def _failed(self, problem: str) -> None:
        self._failures[self._key] += 1
        self._watches.failed(self._key, problem)


def watch_key(url: URL) -> WatchKey | None:
    """The kind and namespace of a listing or a stream; None for other requests.

    >>> watch_key(URL("https://host/apis/batch/v1/namespaces/team/jobs?watch=true"))
    WatchKey(resource='jobs', namespace='team')
    """
    parts = url.path.strip("/").split("/")
    if parts[-1] not in RESOURCES:
        return None
    return WatchKey(parts[-1], parts[-2] if parts[-3:-2] == ["namespaces"] else "")


async def _body_problem(response: aiohttp.ClientResponse, expected: str) -> str:
    """Why a body can't be used; empty when it can be. The response keeps it."""
    try:
        text = (await response.read()).decode()
        json.loads(text)
    except ValueError:
        return "the body of the response was cut"
    return "" if expected in text else f"{expected} is not served yet"


async def _describe(response: aiohttp.ClientResponse) -> str:
    """Status and message of an error; the connection is released."""
    try:
        message = str(json.loads(await response.read()).get("message", ""))[:200]
    except (ValueError, AttributeError):
        message = ""
    return f"HTTP {response.status} {message}".strip()


def _is_event(line: bytes) -> bool:
    """Whether a line can be an event; kopf parses it."""
    return not line or (line[0] == ord("{") and line[-1] == ord("}"))


def _hand_on(line: bytes, receive: Receiver) -> bytes:
    """Hand on the object of an event; a bookmark with its version, which kopf continues from.

    Other lines stay as they are, and so do events that kopf has to pass on itself: those that orjson can't
    parse (more than 1024 nested levels), and those that can't be taken in.
    """
    try:
        event = orjson.loads(line)
        if event["type"] not in ("ADDED", "MODIFIED", "DELETED"):
            return line
        version = event["object"]["metadata"]["resourceVersion"]
        receive(event["object"], deleted=event["type"] == "DELETED")
    except Exception:  # kopf logs what is wrong with it, and goes on
        return line
    return orjson.dumps({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version}}})


async def _take_listing(response: aiohttp.ClientResponse, receive: Receiver) -> str:
    """Hand on the objects of a listing, of which kopf then gets none. Returns why the body can't be used."""
    body = await response.content.read()
    with suppress(Exception):  # kopf passes on all of them itself, and logs what is wrong
        listing = orjson.loads(body)
        kind = {"apiVersion": listing["apiVersion"], "kind": listing["kind"].removesuffix("List")}
        for item in listing["items"] or ():
            receive({**kind, **item})
        body = orjson.dumps({**listing, "items": []})
    _replace_body(response, body)
    return await _body_problem(response, "")


async def _replace_listing(response: aiohttp.ClientResponse, version: int) -> None:
    """Let kopf get an empty listing of the state that the controller has listed, and watch from there on."""
    await response.content.read()
    _replace_body(response, orjson.dumps({"items": [], "metadata": {"resourceVersion": str(version)}}))


def _replace_body(response: aiohttp.ClientResponse, body: bytes) -> None:
    content: Any = _Body(response.content, body)
    response.content = content


class _Body:
    """The body of a response, in place of the one that was read."""

    def __init__(self, content: aiohttp.StreamReader, body: bytes) -> None:
        self._content = content
        self._body = body

    def __getattr__(self, name: str) -> Any:
        """What aiohttp itself needs of the body."""
        return getattr(self._content, name)

    async def read(self) -> bytes:
        """All of it."""
        return self._body


def _error_in(lines: bytes) -> str | None:
    """The message of the error event among some lines: None without one, empty for 410, which is usual."""
    for line in lines.split(b"\n"):
        if line.startswith(_ERROR):
            try:
                status = json.loads(line)["object"]
                return "" if status["code"] == 410 else str(status.get("message") or status["code"])[:200]
            except (ValueError, KeyError, TypeError, AttributeError):
                return "an error event that can't be read"
    return None
