"""Runs a candidate on a new API server, and reads what creating its objects costs."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field

from benchmarks.operator.api import Api
from benchmarks.operator.candidates import Candidate, Running
from benchmarks.operator.usage import Usage
from tests.apiserver.operator_process import OperatorProcess
from tools.kube.apiserver import ApiServer, running_api_server

AT_ONCE = 20
"""Requests at the same time."""
NAMESPACE = "bench"
JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
OPERATOR = "operator"
PARTS = {"kube-apiserver": "api_server", "etcd": "etcd", "kube-controller-manager": "controller_manager"}
_QUIET_SECONDS, _QUIET_SHARE = 1.0, 0.15
"""All is done when the processes take less than this share of a core for this time."""
_SETTLE_SECONDS = 240.0
_PAUSE_SECONDS = 0.25


@dataclass
class Bench:
    """A candidate that runs, and its API server."""

    server: ApiServer
    api: Api
    candidate: Candidate
    running: Running
    created: dict[str, tuple[float, float]] = field(default_factory=dict)
    """When each object was requested and acknowledged, on the monotonic clock."""

    @property
    def operator(self) -> OperatorProcess:
        """FinScribe's operator."""
        assert self.running.operator is not None
        return self.running.operator

    @property
    def collection(self) -> str:
        """Path of the candidate's objects."""
        return self.candidate.collection(NAMESPACE)

    def usage(self) -> Usage:
        """What all processes have used so far."""
        processes = self.server.processes
        pids = {name: [pid] for part, name in PARTS.items() if (pid := processes.pid(part)) is not None}
        return Usage.read({**pids, OPERATOR: self.running.pids()})

    async def create(self, names: Iterable[str], at_once: int = AT_ONCE) -> None:
        """Create objects, and note when."""
        waiting = iter(list(names))

        async def create_some() -> None:
            for name in waiting:
                sent = time.monotonic()
                await self.api.send("POST", self.collection, self.candidate.build(name))
                self.created[name] = (sent, time.monotonic())

        await asyncio.gather(*(create_some() for _ in range(at_once)))

    async def warm_up(self) -> None:
        """Let everything have made what it makes for the first object only: connections, compiled rules."""
        await self.create([f"warm-{number}" for number in range(AT_ONCE)])
        await self.settle(AT_ONCE)
        self.created.clear()

    async def settle(self, pods: int) -> None:
        """Wait until this many pods exist, and the processes have nothing more to do.

        Raises:
            TimeoutError: that takes more than four minutes.
        """
        async with asyncio.timeout(_SETTLE_SECONDS):
            await self.await_pods(pods)
            await self.be_quiet()

    async def await_pods(self, number: int) -> None:
        """Wait until this many pods exist."""

        async def exist() -> bool:
            return await self.api.count(PODS) >= number

        await until(exist)

    async def be_quiet(self) -> None:
        """Wait until the processes have nothing more to do."""
        before, used = self.usage(), 1.0
        while used > _QUIET_SHARE * _QUIET_SECONDS:
            await asyncio.sleep(_QUIET_SECONDS)
            now = self.usage()
            used, before = now.since(before).total, now


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until a condition holds, for as long as the caller allows."""
    while not await condition():  # noqa: ASYNC110 - a server is asked, which has no event to wait for
        await asyncio.sleep(_PAUSE_SECONDS)


@asynccontextmanager
async def running_bench(candidate: Candidate) -> AsyncIterator[Bench]:
    """A candidate on an API server of its own: the objects of earlier ones would be work for it."""
    with ExitStack() as stack:
        server = stack.enter_context(running_api_server(candidate.crds()))
        server.kubectl("create", "namespace", NAMESPACE)
        running = stack.enter_context(candidate.start(server))
        async with Api(server) as api:
            yield Bench(server, api, candidate, running)
