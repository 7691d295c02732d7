"""A client of the API server that takes little of the measured CPU: raw JSON over kept connections."""

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterator
from typing import Any, Self

import aiohttp
import orjson

from tools.kube.apiserver import ApiServer
from tools.kube.certificates import Certificates

METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
MERGE_PATCH = "application/merge-patch+json"
_WRITES = ("POST", "PUT", "PATCH", "DELETE")
_REQUESTS = re.compile(r'^apiserver_request_total\{.*verb="([A-Z]+)".*\} (\S+)$', re.MULTILINE)
_MAX_LINE = 2**24


class Api:
    """Requests of an administrator; use as a context manager."""

    def __init__(self, server: ApiServer) -> None:
        certificates = Certificates(server.ca.parent)
        context = ssl.create_default_context(cafile=str(server.ca))
        context.load_cert_chain(certificates.crt("admin"), certificates.key("admin"))
        self._url = server.url
        self._ssl = context

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self._ssl, limit=0)
        timeout = aiohttp.ClientTimeout(total=None)
        self._session = aiohttp.ClientSession(
            self._url, connector=connector, timeout=timeout, read_bufsize=_MAX_LINE
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._session.close()

    async def send(
        self, method: str, path: str, body: Any = None, type_: str = "application/json", **query: str
    ) -> Any:
        """The object in the response.

        Raises:
            aiohttp.ClientResponseError: the API server refuses the request; the message is its own.
        """
        data = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": type_}
        async with self._session.request(method, path, data=data, headers=headers, params=query) as response:
            content = await response.read()
            if response.status >= 300:
                raise aiohttp.ClientResponseError(
                    response.request_info,
                    (),
                    status=response.status,
                    message=content.decode(errors="replace"),
                )
            return orjson.loads(content)

    async def get(self, path: str, **query: str) -> Any:
        """The object or listing."""
        return await self.send("GET", path, **query)

    async def count(self, path: str) -> int:
        """The number of objects in a collection, of which only one is read."""
        listing = await self.get(path, limit="1")
        return len(listing["items"]) + int(listing["metadata"].get("remainingItemCount") or 0)

    async def count_requests(self) -> tuple[float, float]:
        """Requests that the API server has answered so far, and how many of them were writes."""
        async with self._session.get("/metrics") as response:
            found = _REQUESTS.findall(await response.text())
        writes = sum(float(value) for verb, value in found if verb in (*_WRITES, "APPLY"))
        return sum(float(value) for _, value in found), writes

    async def watch(self, path: str, version: str) -> AsyncIterator[Any]:
        """The events of a collection from a version on: metadata only, until the task is cancelled."""
        query = {"watch": "1", "resourceVersion": version, "allowWatchBookmarks": "false"}
        async with self._session.get(path, params=query, headers={"Accept": METADATA_ONLY}) as response:
            response.raise_for_status()
            async for line in response.content:
                yield orjson.loads(line)


class Arrivals:
    """When the objects of a collection that are created from now on were seen, by the value of a label."""

    def __init__(self, api: Api, path: str, label: str) -> None:
        self.seen: dict[str, float] = {}
        """On the monotonic clock."""
        self._api = api
        self._path = path
        self._label = label
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        listing = await self._api.get(self._path, limit="1")
        self._task = asyncio.create_task(self._read(listing["metadata"]["resourceVersion"]))
        return self

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def wait_for(self, number: int, seconds: float) -> None:
        """Wait until this many were seen.

        Raises:
            TimeoutError: not in time; the message says how many were.
        """
        try:
            async with asyncio.timeout(seconds):
                while len(self.seen) < number:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"{len(self.seen)} of {number} Jobs in {seconds:.0f} s") from None

    async def _read(self, version: str) -> None:
        async for event in self._api.watch(self._path, version):
            name = event["object"]["metadata"].get("labels", {}).get(self._label)
            if event["type"] == "ADDED" and name is not None:
                self.seen.setdefault(name, time.monotonic())
                self._changed.set()
