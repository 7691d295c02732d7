"""The operator is killed at every write, before and after it reaches the server, and started again."""

import asyncio
import itertools

import pytest

from finscribe_core.api.v1alpha1 import FineTuneJobStatus
from finscribe_operator.config import OperatorConfig
from finscribe_operator.metrics import Metrics
from finscribe_operator.objects import Object, key_of
from finscribe_operator.reconcile import Reconciler
from finscribe_operator.store import Store
from tests.unit.operator.builders import NOW, a_job, ended, run_name
from tests.unit.operator.memory_cluster import Killed, MemoryCluster

FIRST, SECOND = a_job(), a_job({"lora": {"r": 8}})
MORE_MEMORY = a_job({"resources": {"memory": "64Gi"}})


async def start_operator(cluster: MemoryCluster, now: str = NOW) -> None:
    """A new process: it lists everything, and reconciles the job until there are no more writes."""
    store = Store()
    for obj in (*cluster.of_kind("Job"), *cluster.of_kind("Pod"), *cluster.of_kind("FineTuneJob")):
        store.put(obj)
    reconciler = Reconciler(cluster, store, OperatorConfig(), Metrics(store), lambda: now)
    writes = -1
    while writes != cluster.writes:
        writes = cluster.writes
        await reconciler.reconcile(key_of(FIRST))
        for obj in (*cluster.of_kind("Job"), *cluster.of_kind("FineTuneJob")):
            store.put(obj)
        kept = {obj["metadata"]["uid"] for obj in cluster.of_kind("Job")}
        for obj in store.jobs(key_of(FIRST)):
            if obj["metadata"]["uid"] not in kept:
                store.remove(obj)


async def run_killed_at(cluster: MemoryCluster, write: int, after: bool, now: str = NOW) -> bool:
    """Kill the operator at that write and start it again; whether there was such a write."""
    cluster.kill_at, cluster.kill_after_write = cluster.writes + write, after
    try:
        await start_operator(cluster, now)
    except Killed:
        await start_operator(cluster, now)
        return True
    cluster.kill_at = None
    return False


def edit_spec(cluster: MemoryCluster, job: Object) -> None:
    live = cluster.objects[("FineTuneJob", "team", "invoices")]
    cluster.seed({**live, "spec": job["spec"], "metadata": live["metadata"] | {"generation": 2}})


def train(cluster: MemoryCluster) -> None:
    """The trainer reports its first steps."""
    live = cluster.objects[("FineTuneJob", "team", "invoices")]
    cluster.seed({**live, "status": {**live["status"], "progress": {"step": 5}}})


def end_jobs(cluster: MemoryCluster, status: Object) -> None:
    for job in cluster.of_kind("Job"):
        cluster.seed({**job, "status": status})


def status_of(cluster: MemoryCluster) -> FineTuneJobStatus:
    return FineTuneJobStatus.model_validate(cluster.of_kind("FineTuneJob")[0]["status"])


def names(cluster: MemoryCluster, kind: str) -> list[str]:
    return sorted(obj["metadata"]["name"] for obj in cluster.of_kind(kind))


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
async def test_a_new_job_gets_exactly_one_run(after: bool):
    for write in itertools.count(1):
        cluster = MemoryCluster()
        cluster.seed(FIRST)
        killed = await run_killed_at(cluster, write, after)
        for kind in ("Job", "ConfigMap"):
            assert names(cluster, kind) == [run_name(FIRST)]
        assert cluster.created.count(f"Job/{run_name(FIRST)}") == 1
        assert status_of(cluster).run is not None
        if not killed:
            assert write > 3
            return


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
async def test_a_superseded_run_is_deleted_and_recorded_once(after: bool):
    for write in itertools.count(1):
        cluster = MemoryCluster()
        cluster.seed(FIRST)
        await start_operator(cluster)
        train(cluster)
        edit_spec(cluster, SECOND)
        killed = await run_killed_at(cluster, write, after)
        for kind in ("Job", "ConfigMap"):
            assert names(cluster, kind) == [run_name(SECOND)]
        assert cluster.created.count(f"Job/{run_name(SECOND)}") == 1
        assert [(r.name, r.outcome) for r in status_of(cluster).runs] == [(run_name(FIRST), "Superseded")]
        if not killed:
            assert write > 6
            return


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
async def test_a_result_is_neither_lost_nor_trained_twice(after: bool):
    for write in itertools.count(1):
        cluster = MemoryCluster()
        cluster.seed(FIRST)
        await start_operator(cluster)
        end_jobs(cluster, ended("Complete"))
        edit_spec(cluster, SECOND)
        killed = await run_killed_at(cluster, write, after)
        assert [(r.name, r.outcome) for r in status_of(cluster).runs] == [(run_name(FIRST), "Succeeded")]
        assert names(cluster, "Job") == sorted([run_name(FIRST), run_name(SECOND)])
        edit_spec(cluster, FIRST)
        await start_operator(cluster)
        assert cluster.created.count(f"Job/{run_name(FIRST)}") == 1
        assert status_of(cluster).summary.state == "Complete"
        if not killed:
            return


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
async def test_going_back_to_a_failed_spec_trains_it_once_more(after: bool):
    for write in itertools.count(1):
        cluster = MemoryCluster()
        cluster.seed(FIRST)
        await start_operator(cluster)
        end_jobs(cluster, ended("Failed", "BackoffLimitExceeded", 4))
        await start_operator(cluster)
        edit_spec(cluster, SECOND)
        await start_operator(cluster)
        edit_spec(cluster, FIRST)
        killed = await run_killed_at(cluster, write, after)
        assert cluster.created.count(f"Job/{run_name(FIRST)}") == 2
        assert names(cluster, "Job") == [run_name(FIRST)]
        assert status_of(cluster).runs == []  # SECOND took no step
        assert status_of(cluster).summary.state == "Pending"
        if not killed:
            return


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
async def test_a_run_with_a_changed_pod_continues_under_its_name_in_one_new_job(after: bool):
    for write in itertools.count(1):
        cluster = MemoryCluster()
        cluster.seed(FIRST)
        await start_operator(cluster)
        edit_spec(cluster, MORE_MEMORY)
        killed = await run_killed_at(cluster, write, after)
        for kind in ("Job", "ConfigMap"):
            assert names(cluster, kind) == [run_name(FIRST)]
        assert cluster.created.count(f"Job/{run_name(FIRST)}") == 2
        (job,) = cluster.of_kind("Job")
        (container,) = job["spec"]["template"]["spec"]["containers"]
        assert container["resources"]["limits"]["memory"] == "64Gi"
        assert status_of(cluster).runs == []
        if not killed:
            assert write > 5
            return


async def test_reconciling_again_writes_nothing():
    cluster = MemoryCluster()
    cluster.seed(FIRST)
    await start_operator(cluster)
    writes = cluster.writes
    await start_operator(cluster)
    assert cluster.writes == writes


async def test_two_reconciliations_of_the_same_stale_view_create_one_run():
    cluster = MemoryCluster()
    cluster.seed(FIRST)
    results = await asyncio.gather(start_operator(cluster), start_operator(cluster), return_exceptions=True)
    assert names(cluster, "Job") == [run_name(FIRST)]
    assert all(result is None or "modified" in str(result) for result in results)
