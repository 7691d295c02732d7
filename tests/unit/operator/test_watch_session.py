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
from finscribe_operator.watch_session import WatchMiddleware, watch_key
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
    watches: Watches, handler: Handler, store: Store | None = None
) -> AsyncIterator[aiohttp.ClientSession]:
    app = web.Application()
    app.router.add_get("/{path:.*}", handler)
    headers = {"Authorization": "Bearer token"}
    middleware = WatchMiddleware(watches, lambda: headers, (store or Store()).knows)
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


async def test_kopf_sees_only_the_fields_that_the_store_keeps(watches: Watches):
    job = a_batch_job("invoices-1")
    rest = {"spec": {**job["spec"], "template": {}}, "status": {**job["status"], "active": 1}}
    whole = {**job, **rest, "metadata": {**job["metadata"], "managedFields": [{"manager": "finscribe"}]}}
    async with session(watches, answering(as_event(whole))) as opened:
        assert json.loads(await read(opened)) == {"type": "MODIFIED", "object": job}


async def test_kopf_sees_no_version_that_the_store_knows_but_each_deletion(watches: Watches):
    known, newer = a_batch_job("invoices-1"), a_batch_job("invoices-1")
    newer["metadata"]["resourceVersion"] = "2"
    store = Store()
    store.put(known)
    deletion = as_event(known).replace(b"MODIFIED", b"DELETED")
    async with session(watches, answering(as_event(known) + as_event(newer) + deletion), store) as opened:
        seen = [json.loads(line) for line in (await read(opened)).splitlines() if line]
    assert seen == [
        {"type": "MODIFIED", "object": newer},
        {"type": "DELETED", "object": known},
    ]


async def test_kopf_sees_events_that_are_nested_too_deep_to_be_shortened(watches: Watches):
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


def test_a_listing_is_wanted_when_a_stream_opens_for_the_first_time_and_after_a_failure():
    watches, wanted = Watches([""]), []
    watches.on_recovery = lambda: wanted.append(1)
    key = WatchKey("jobs", "")
    for count, problem in ((1, ""), (1, ""), (2, "cut")):
        if problem:
            watches.failed(key, problem)
        watches.opened(key, lambda: None)
        assert len(wanted) == count
