"""kopf's HTTP session turns what would end kopf into errors after which it tries again."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from finscribe_core.constants import GROUP, PLURAL, VERSION
from finscribe_operator import watch_session
from finscribe_operator.objects import Object
from finscribe_operator.store import Store
from finscribe_operator.watch_session import Receiver, WatchMiddleware, watch_key
from finscribe_operator.watches import Watches, WatchKey
from tests.unit.operator.builders import a_batch_job

KEY = WatchKey("pods", "")
EVENT = b'{"type":"ADDED","object":{}}\n'
GONE = b'{"type":"ERROR","object":{"kind":"Status","code":410}}\n'
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
def watches() -> Watches:
    return Watches([""])


@asynccontextmanager
async def session(
    watches: Watches, handler: Handler, receive: Receiver = lambda obj, deleted=False: Store().put(obj)
) -> AsyncIterator[aiohttp.ClientSession]:
    app = web.Application()
    app.router.add_get("/{path:.*}", handler)
    headers = {"Authorization": "Bearer token"}
    middleware = WatchMiddleware(watches, lambda: headers, receive)
    async with TestServer(app, host="127.0.0.1") as server:
        url = f"http://127.0.0.1:{server.port}/"
        async with aiohttp.ClientSession(url, middlewares=(middleware,)) as opened:
            yield opened


def answering(body: bytes, status: int = 200) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer token"
        return web.Response(status=status, body=body)

    return answer


async def read(opened: aiohttp.ClientSession, path: str = "api/v1/pods?watch=true") -> bytes:
    """Read a stream as kopf does."""
    async with opened.get(path) as response:
        assert response.status == 200
        return b"".join([chunk async for chunk in response.content.iter_chunked(2**20)])


STREAMS = {
    "events": (EVENT + EVENT, EVENT + EVENT),
    "an expired version": (EVENT + GONE, GONE),
    "a version of the future": (b'{"type":"ERROR","object":{"code":504,"message":"too large"}}\n', GONE),
    "an error that can't be read": (b'{"type":"ERROR","object":7}\n', GONE),
}


@pytest.mark.parametrize(("sent", "seen"), STREAMS.values(), ids=STREAMS.keys())
async def test_kopf_sees_events_and_no_error_but_410(watches: Watches, sent: bytes, seen: bytes):
    async with session(watches, answering(sent)) as opened:
        assert await read(opened) == seen


class Received(list[tuple[Object, bool]]):
    """What was handed on, and whether it was deleted."""

    def __call__(self, obj: Object, *, deleted: bool = False) -> None:
        self.append((obj, deleted))


async def test_the_operator_gets_the_objects_of_events_and_kopf_their_versions(watches: Watches):
    first, second = a_batch_job("invoices-1"), a_batch_job("invoices-1")
    second["metadata"]["resourceVersion"] = "2"
    deletion = as_event(second).replace(b"MODIFIED", b"DELETED")
    received = Received()
    async with session(watches, answering(as_event(first) + EVENT + deletion), received) as opened:
        seen = [json.loads(line) for line in (await read(opened)).splitlines()]
    assert received == [(first, False), (second, True)]
    assert [(event["type"], event["object"].get("metadata", {})) for event in seen] == [
        ("BOOKMARK", {"resourceVersion": "1"}),
        ("ADDED", {}),
        ("BOOKMARK", {"resourceVersion": "2"}),
    ]


async def test_the_operator_gets_the_objects_of_listings_and_kopf_none(watches: Watches):
    job = a_batch_job("invoices-1")
    item = {name: value for name, value in job.items() if name not in ("apiVersion", "kind")}
    listing = {"apiVersion": "batch/v1", "kind": "JobList", "metadata": {"resourceVersion": "7"}}
    received = Received()
    body = json.dumps({**listing, "items": [item]}).encode()
    async with session(watches, answering(body), received) as opened, opened.get("api/v1/pods") as response:
        assert await response.json(content_type=None) == {**listing, "items": []}
    assert received == [(job, False)]


async def test_kopf_gets_what_could_not_be_taken_in(watches: Watches):
    def fail(obj: Object, *, deleted: bool = False) -> None:
        raise KeyError("a defect")

    event, body = (
        as_event(a_batch_job("invoices-1")),
        b'{"items": [{}], "apiVersion": "v1", "kind": "PodList"}',
    )
    async with session(watches, answering(event), fail) as opened:
        assert await read(opened) == event
    async with session(watches, answering(body), fail) as opened, opened.get("api/v1/pods") as response:
        assert await response.read() == body


async def test_kopf_gets_events_that_are_nested_too_deep_for_orjson(watches: Watches):
    nested = b'{"a":' * 2000 + b"{}" + b"}" * 2000
    event = as_event({**a_batch_job("invoices-1"), "spec": "NESTED"}).replace(b'"NESTED"', nested)
    async with session(watches, answering(event)) as opened:
        assert await read(opened) == event


def as_event(obj: Object) -> bytes:
    return json.dumps({"type": "MODIFIED", "object": obj}).encode() + b"\n"


FAILURES = {
    "a cut event": answering(EVENT + EVENT[:9]),
    "no event": answering(b"<html>\n"),
    "forbidden": answering(b"{}", 403),
    "an unknown kind": answering(b"404 page not found", 404),
}


@pytest.mark.parametrize("handler", FAILURES.values(), ids=FAILURES.keys())
async def test_after_another_failure_kopf_continues_the_stream(watches: Watches, handler: Handler):
    async with session(watches, handler) as opened:
        with pytest.raises(aiohttp.ClientPayloadError):
            await read(opened)
    assert watches.problem(KEY)


async def test_an_expired_version_in_the_status_becomes_a_new_listing(watches: Watches):
    async with session(watches, answering(b"{}", 410)) as opened:
        assert await read(opened) == GONE


@pytest.mark.parametrize("body", [b'{"items": [', b"", b"<html>"])
async def test_a_listing_that_was_cut_is_repeated(watches: Watches, body: bytes):
    async with session(watches, answering(body)) as opened:
        with pytest.raises(aiohttp.ClientPayloadError):
            await opened.get("api/v1/pods")


async def test_streams_begin_with_a_new_listing_after_a_restart(watches: Watches):
    async with session(watches, answering(EVENT)) as opened:
        watches.restart()
        assert await read(opened) == GONE
    async with session(watches, answering(b"{}")) as opened:
        await opened.get("api/v1/pods?limit=20&continue=token")
        assert watches.must_list(KEY), "it began before the restart"
        await opened.get("api/v1/pods?limit=20")
    async with session(watches, answering(EVENT)) as opened:
        assert await read(opened) == EVENT


async def test_discovery_waits_for_the_crd(watches: Watches, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(watch_session, "FIRST_PAUSE_SECONDS", 0.01)
    bodies = iter([(500, ""), (404, ""), (200, "{"), (200, "{}"), (200, f'{{"name": "{PLURAL}"}}')])

    async def answer(_: web.Request) -> web.Response:
        status, text = next(bodies)
        return web.Response(status=status, text=text)

    async with session(watches, answer) as opened, opened.get(f"apis/{GROUP}/{VERSION}") as response:
        assert PLURAL in await response.text()


KEYS = {
    "/api/v1/pods": ("pods", ""),
    "/apis/batch/v1/namespaces/team/jobs": ("jobs", "team"),
    f"/apis/{GROUP}/{VERSION}/namespaces/jobs/{PLURAL}": (PLURAL, "jobs"),
    "/apis": None,
    f"/apis/{GROUP}/{VERSION}": None,
}


@pytest.mark.parametrize(("path", "key"), KEYS.items())
def test_listings_and_streams_are_told_from_discovery(path: str, key: tuple[str, str] | None):
    assert watch_key(URL(f"https://host{path}?watch=true")) == key


STEPS_BEFORE_A_STREAM: dict[str, tuple[Callable[[Watches], object], bool]] = {
    "kopf has listed": (lambda watches: watches.listed(KEY), True),
    "kopf goes on where a stream ended": (lambda watches: None, False),
    "the stream before was cut": (lambda watches: watches.failed(KEY, "cut"), True),
    "kopf has listed again": (lambda watches: watches.listed(KEY), True),
}


def test_a_listing_is_wanted_when_a_stream_opens_and_events_may_have_been_lost_before():
    watches, wanted = Watches([""]), []
    watches.on_recovery = lambda: wanted.append(1)
    for name, (step, expected) in STEPS_BEFORE_A_STREAM.items():
        wanted.clear()
        step(watches)
        watches.opened(KEY, lambda: None)
        watches.received(KEY)
        assert bool(wanted) == expected, name


async def test_the_first_listing_of_kopf_is_that_of_the_controller(watches: Watches):
    asked, received, wanted = [], Received(), []
    watches.on_recovery = lambda: wanted.append(1)

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.query["limit"])
        pod = {"metadata": {"name": "a", "uid": "u", "resourceVersion": "50"}}
        listing = {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "60"}}
        return web.json_response({**listing, "items": [pod]})

    async def list_pods() -> Object:
        async with opened.get("api/v1/pods?limit=500") as response:
            return await response.json()

    watches.begin_at(KEY, 40)
    async with session(watches, answer, received) as opened:
        first = await list_pods()
        watches.opened(KEY, lambda: None)
        assert (first["metadata"]["resourceVersion"], first["items"], received) == ("40", [], [])
        assert wanted == []
        second = await list_pods()
    assert (second["metadata"]["resourceVersion"], len(received), asked) == ("60", 1, ["1", "500"])
