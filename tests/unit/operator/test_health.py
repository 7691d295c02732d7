"""The liveness probe fails only when a restart may help."""

import time

import pytest

from finscribe_operator.cluster import Listing, TransientError
from finscribe_operator.config import OperatorConfig
from finscribe_operator.controller import Controller
from finscribe_operator.health import Health
from finscribe_operator.store import Store
from finscribe_operator.watches import RESOURCES, Watches, WatchKey
from tests.unit.operator.memory_cluster import MemoryCluster

LIMIT, INTERVAL = 100, 10


class Outage(MemoryCluster):
    """An API server that can't be listed at times."""

    lists = True

    async def list_objects(self, kind: str, namespace: str = "") -> Listing:
        if not self.lists:
            raise TransientError("no answer")
        return await super().list_objects(kind, namespace)


CASES = {
    "both work": (True, True, False),
    "the API server is down": (False, False, False),
    "watches fail": (True, False, True),
    "listings fail": (False, True, True),
}


@pytest.mark.parametrize(("lists", "watched", "fails"), CASES.values(), ids=CASES.keys())
async def test_liveness(monkeypatch: pytest.MonkeyPatch, lists: bool, watched: bool, fails: bool):
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    config = OperatorConfig(watch_timeout_seconds=LIMIT, resync_interval_seconds=INTERVAL)
    watches, cluster = Watches([""], lambda: now), Outage()
    controller = Controller(cluster, Store(), config, watches=watches)
    health = Health(controller, watches, config)
    await controller.resync()
    assert health.problem() == ""
    cluster.lists = lists
    for _ in range(2 * LIMIT):
        now += 1
        if watched:
            for resource in RESOURCES:
                watches.received(WatchKey(resource, ""))
        try:
            await controller.resync()
        except TransientError:
            assert not lists
    assert bool(health.problem()) is fails


async def test_watches_have_time_to_recover_after_an_outage(monkeypatch: pytest.MonkeyPatch):
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    config = OperatorConfig(watch_timeout_seconds=LIMIT)
    watches, cluster = Watches([""], lambda: now), Outage()
    controller = Controller(cluster, Store(), config, watches=watches)
    cluster.lists = False
    with pytest.raises(TransientError):
        await controller.resync()
    now += 100 * LIMIT
    cluster.lists = True
    await controller.resync()
    assert Health(controller, watches, config).problem() == ""
