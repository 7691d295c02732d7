"""One replica at a time works, whatever happens to the processes, the network and the Lease."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from random import Random

import pytest

from finscribe_operator.cluster import (
    AlreadyExistsError,
    ConflictError,
    NotFoundError,
    NotLeaderError,
    TransientError,
)
from finscribe_operator.config import LeaderElection
from finscribe_operator.election import API_VERSION, Election, identify
from finscribe_operator.leadership import Leadership
from finscribe_operator.objects import Object, Ref

REF = Ref(API_VERSION, "Lease", "finscribe-system", "finscribe-operator")
TIMES = LeaderElection()


class Clock:
    """Time that passes only while everything waits."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Selector(selectors.DefaultSelector):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list:
        self._clock.seconds += timeout or 0
        return super().select(0)


class Server:
    """Stores the Lease."""

    def __init__(self) -> None:
        self.version = 0
        self.lease: Object | None = {"metadata": {"resourceVersion": "0"}}  # as the chart creates it

    def get(self) -> Object:
        if self.lease is None:
            raise NotFoundError("no Lease")
        return self.lease

    def write(self, lease: Object) -> Object:
        expected = lease["metadata"].get("resourceVersion")
        if expected is None and self.lease is not None:
            raise AlreadyExistsError("exists")
        if expected is not None and (self.lease or {}).get("metadata", {}).get("resourceVersion") != expected:
            raise ConflictError("has changed")
        self.version += 1
        self.lease = {**lease, "metadata": {**lease["metadata"], "resourceVersion": str(self.version)}}
        return self.lease


class Replica:
    """A process that takes part in the election."""

    def __init__(self, name: str, server: Server, clock: Clock, others: "list[Replica]") -> None:
        self.server = server
        self.clock = clock
        self.others = others
        self.hangs = False
        self.share, self.random = 0.0, Random(name)
        self.works = False
        self.leadership = Leadership(clock)
        self.began = 0.0
        self._identity = name
        others.append(self)
        self.start()

    def start(self) -> None:
        election = Election(REF, self._identity, TIMES, self, self.leadership, self)
        self.task = asyncio.create_task(election.run())

    async def get(self, ref: Ref) -> Object:
        return await self._request(self.server.get)

    async def write_lease(self, lease: Object) -> Object:
        return await self._request(lambda: self.server.write(lease))

    async def _request(self, serve: Callable[[], Object]) -> Object:
        await asyncio.sleep(self.random.uniform(0, 8) if self.random.random() < self.share else 0.01)
        if self.hangs:
            await asyncio.Event().wait()
        if self.random.random() < self.share:
            raise TransientError("lost before it was served")
        served = serve()
        await asyncio.sleep(0.01)
        if self.random.random() < self.share:
            raise TransientError("lost afterwards")
        return served

    def lead(self) -> None:
        assert not any(other.leadership.is_held for other in self.others if other is not self)
        assert not any(other.works for other in self.others if other is not self)
        self.works, self.began = True, self.clock()

    async def step_down(self) -> None:
        self.works = False

    def kill(self) -> None:
        """End it without the release of the Lease."""
        self.hangs = True
        self.works = False
        self.leadership.end()
        self.task.cancel()


def simulate(scenario: Callable[[Clock, list[Replica]], Coroutine[None, None, None]]) -> None:
    """Run a scenario with two replicas, of which the first one works."""
    clock = Clock()
    loop = asyncio.SelectorEventLoop(Selector(clock))
    loop.time = clock  # type: ignore[method-assign]

    async def run() -> None:
        server, replicas = Server(), []
        for name in ("one", "two"):
            Replica(name, server, clock, replicas)
            await asyncio.sleep(3)
        assert replicas[0].works
        await scenario(clock, replicas)
        for replica in replicas:
            replica.task.cancel()
        ended = await asyncio.gather(*(r.task for r in replicas), return_exceptions=True)
        assert [e for e in ended if not isinstance(e, asyncio.CancelledError)] == []

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(run())


async def kill(one: Replica) -> None:
    one.kill()


async def cut(one: Replica) -> None:
    one.hangs = True


async def stop(one: Replica) -> None:
    one.task.cancel()


async def delete(one: Replica) -> None:
    one.server.lease = None
    one.hangs = True


DISTURBANCES = {
    "it is killed": (kill, 13, 17.5),
    "it gets no answers": (cut, 13, 17.5),
    "it stops": (stop, 0, 2.5),
    "its Lease is deleted and it gets no answers": (delete, 13, 17.5),
}


@pytest.mark.parametrize(("disturb", "soonest", "latest"), DISTURBANCES.values(), ids=DISTURBANCES.keys())
def test_another_replica_takes_over_from_the_leader_when(disturb, soonest: float, latest: float):
    async def scenario(clock: Clock, replicas: list[Replica]) -> None:
        one, two = replicas
        since = clock()
        await disturb(one)
        await asyncio.sleep(60)
        assert two.works and not one.works
        assert soonest <= two.began - since <= latest

    simulate(scenario)


async def nothing(one: Replica) -> None:
    pass


async def delete_only(one: Replica) -> None:
    one.server.lease = None


async def restart(one: Replica) -> None:
    one.kill()
    await asyncio.sleep(1)
    one.hangs = False
    one.start()


async def misdate(one: Replica) -> None:
    assert one.server.lease is not None
    spec = {**one.server.lease["spec"], "renewTime": "1999-01-01T00:00:00.000000Z"}
    one.server.write({**one.server.lease, "spec": spec})


KEEPING = {
    "nothing happens": nothing,
    "its Lease is deleted": delete_only,
    "its container is restarted": restart,
    "clocks differ": misdate,
}


@pytest.mark.parametrize("disturb", KEEPING.values(), ids=KEEPING.keys())
def test_the_leader_goes_on_when(disturb):
    async def scenario(clock: Clock, replicas: list[Replica]) -> None:
        one, two = replicas
        await disturb(one)
        await asyncio.sleep(3)
        assert one.works
        await asyncio.sleep(600)
        assert one.works and not two.works and two.began == 0

    simulate(scenario)


def test_a_leader_without_answers_stops_writing_after_the_deadline_and_leads_again_when_nobody_else_does():
    async def scenario(clock: Clock, replicas: list[Replica]) -> None:
        one, two = replicas
        one.hangs = two.hangs = True
        await asyncio.sleep(TIMES.renew_deadline_seconds)
        assert not one.works
        with pytest.raises(NotLeaderError):
            one.leadership.require()
        await asyncio.sleep(600)
        one.hangs = two.hangs = False
        await asyncio.sleep(20)
        assert one.works != two.works

    simulate(scenario)


@pytest.mark.parametrize("seed", range(5))
def test_two_replicas_never_lead_at_once(seed: int):
    random = Random(seed)

    async def scenario(clock: Clock, replicas: list[Replica]) -> None:
        Replica("three", replicas[0].server, clock, replicas)
        for replica in replicas:
            replica.share = 0.2
        deleted_at = random.randrange(50)
        for number in range(50):
            if number == deleted_at:
                replicas[0].server.lease = None
            chosen = random.choice(replicas)
            match random.randrange(3):
                case 0:
                    chosen.hangs = not chosen.hangs
                case 1:
                    chosen.kill()
                    await asyncio.wait([chosen.task])
                    chosen.hangs = False
                    chosen.start()
                case 2:
                    chosen.task.cancel()
                    await asyncio.wait([chosen.task])
                    chosen.start()
            await asyncio.sleep(random.uniform(0, 30))
        for replica in replicas:
            replica.share, replica.hangs = 0.0, False
        await asyncio.sleep(60)
        assert sum(replica.works for replica in replicas) == 1

    simulate(scenario)


def test_a_pod_is_identified_by_name_and_uid_and_other_processes_by_a_random_part():
    assert identify({"POD_NAME": "operator-1", "POD_UID": "a-b"}) == "operator-1_a-b"
    assert identify({}) != identify({})
