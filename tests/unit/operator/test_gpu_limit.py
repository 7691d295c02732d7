"""Runs of a namespace share its GPUs: who waits, for whom, and in which order."""

import asyncio
from typing import Any

import pytest

from finscribe_operator.config import OperatorConfig
from finscribe_operator.controller import Controller
from finscribe_operator.gpu_limit import find_first_waiting
from finscribe_operator.limits import Limits
from finscribe_operator.metrics import Metrics
from finscribe_operator.objects import JobKey, Object, Ref, run_of
from finscribe_operator.reconcile import Reconciler
from finscribe_operator.store import Store
from tests.unit.operator.builders import NOW, a_job, ended
from tests.unit.operator.memory_cluster import MemoryCluster

LIMIT = 4


class Namespace:
    """A namespace with a limit of 4 GPUs, and the operator."""

    def __init__(self) -> None:
        self.cluster = MemoryCluster()
        self.restart()

    def restart(self, limit: int = LIMIT) -> None:
        """A new operator, which knows only what the cluster stores."""
        self.store = Store()
        for kind in ("Job", "FineTuneJob"):
            for obj in self.cluster.of_kind(kind):
                self.store.put(obj)
        config = OperatorConfig(limits=Limits(gpus_per_namespace=limit))
        self.reconciler = Reconciler(self.cluster, self.store, config, Metrics(self.store), lambda: NOW)

    def add(self, name: str, gpus: int, minute: int, **spec: Any) -> JobKey:
        job = a_job({"resources": {"gpus": gpus}, **spec})
        created = f"2026-05-01T11:{56 + minute}:00Z"
        job["metadata"] |= {"name": name, "uid": name, "creationTimestamp": created}
        self.store.put(self.cluster.seed(job))
        return JobKey("team", name)

    async def reconcile(self, *keys: JobKey) -> None:
        for key in keys:
            await self.reconciler.reconcile(key)

    def change(self, key: JobKey, spec: Object) -> None:
        live = self.cluster.objects["FineTuneJob", *key]
        generation = live["metadata"]["generation"] + 1
        changed = {
            **live,
            "spec": live["spec"] | spec,
            "metadata": live["metadata"] | {"generation": generation},
        }
        self.store.put(self.cluster.seed(changed))

    def end(self, key: JobKey) -> None:
        job = self.batch_job(key)
        self.store.put(self.cluster.seed({**job, "status": ended("Complete")}))

    def batch_job(self, key: JobKey) -> Object:
        return next(j for j in self.cluster.of_kind("Job") if run_of(j).startswith(key.name))

    def active(self) -> set[str]:
        jobs = [j for j in self.cluster.of_kind("Job") if not j["spec"]["suspend"]]
        return {run_of(job).rpartition("-")[0] for job in jobs if "conditions" not in job.get("status", {})}

    def running(self, key: JobKey) -> Object:
        status = self.cluster.objects["FineTuneJob", *key]["status"]
        return next(c for c in status["conditions"] if c["type"] == "Running")


@pytest.fixture
def namespace() -> Namespace:
    return Namespace()


async def test_a_run_that_exceeds_the_sum_waits_and_names_who_holds_the_gpus(namespace: Namespace):
    first, second, third = (namespace.add(name, gpus, i) for i, (name, gpus) in enumerate(SIZES))
    await namespace.reconcile(first, second, third)

    condition = namespace.running(third)
    assert namespace.active() == {"first", "second"}
    assert (condition["status"], condition["reason"]) == ("False", "GpuLimitReached")
    assert "needs 2 GPUs" in condition["message"]
    assert (
        "may use 4 (limit gpusPerNamespace), of which 3 are held by first (2), second (1)"
        in (condition["message"])
    )


SIZES = (("first", 2), ("second", 1), ("third", 2))


async def test_it_starts_when_another_has_ended(namespace: Namespace):
    first, second, third = (namespace.add(name, gpus, i) for i, (name, gpus) in enumerate(SIZES))
    await namespace.reconcile(first, second, third)

    namespace.end(first)
    await namespace.reconcile(third)

    assert namespace.active() == {"second", "third"}


async def test_a_smaller_one_does_not_overtake_an_older_one(namespace: Namespace):
    first, big, small = namespace.add("first", 2, 0), namespace.add("big", 4, 1), namespace.add("small", 1, 2)
    await namespace.reconcile(first, big, small)

    assert namespace.active() == {"first"}
    assert "waits for big" in namespace.running(small)["message"]

    namespace.end(first)
    await namespace.reconcile(small, big)
    assert namespace.active() == {"big"}


@pytest.mark.parametrize(
    "change", [{"suspend": True}, {"resources": {"gpus": 16}}], ids=["suspended", "invalid"]
)
async def test_one_that_cant_start_holds_up_nobody(namespace: Namespace, change: Object):
    first, big, small = namespace.add("first", 2, 0), namespace.add("big", 4, 1), namespace.add("small", 1, 2)
    await namespace.reconcile(first, big, small)

    namespace.change(big, change)
    await namespace.reconcile(big, small)

    assert namespace.active() == {"first", "small"}


async def test_a_suspended_run_counts_again_when_it_resumes(namespace: Namespace):
    first = namespace.add("first", 4, 0)
    await namespace.reconcile(first)
    namespace.change(first, {"suspend": True})
    second = namespace.add("second", 4, 1)
    await namespace.reconcile(first, second)
    assert namespace.active() == {"second"}

    namespace.change(first, {"suspend": False})
    await namespace.reconcile(first)
    assert namespace.active() == {"second"}
    assert namespace.running(first)["reason"] == "GpuLimitReached"

    namespace.end(second)
    await namespace.reconcile(first)
    assert namespace.active() == {"first"}


async def test_a_pod_that_only_looks_for_a_result_holds_no_gpus(namespace: Namespace):
    restored, second = namespace.add("restored", 4, -46), namespace.add("second", 4, 0)
    await namespace.reconcile(restored, second)

    assert namespace.running(restored)["reason"] == "LookingForResult"
    assert "second" in namespace.active()


async def test_a_new_run_of_a_job_replaces_its_old_one(namespace: Namespace):
    first = namespace.add("first", 4, 0)
    await namespace.reconcile(first)

    namespace.change(first, {"lora": {"r": 8}})
    await namespace.reconcile(first)

    assert namespace.active() == {"first"}
    assert len(namespace.cluster.of_kind("Job")) == 1


class SlowCluster(MemoryCluster):
    """Lets another task run before each write."""

    async def create(self, manifest: Object) -> Object:
        await asyncio.sleep(0)
        return await super().create(manifest)

    async def patch_status(self, job: Object, status: Object) -> Object:
        await asyncio.sleep(0)
        return await super().patch_status(job, status)

    async def patch(self, ref: Ref, patch: Object) -> Object:
        await asyncio.sleep(0)
        return await super().patch(ref, patch)


async def test_two_that_start_at_the_same_time_do_not_exceed_the_limit(namespace: Namespace):
    namespace.cluster = SlowCluster()
    namespace.restart()
    keys = [namespace.add(f"job-{letter}", 3, i) for i, letter in enumerate("abcd")]

    await asyncio.gather(*(namespace.reconciler.reconcile(key) for key in keys))

    assert namespace.active() == {"job-a"}


async def test_one_that_waits_for_more_than_a_lowered_limit_becomes_invalid(namespace: Namespace):
    first, big, small = namespace.add("first", 2, 0), namespace.add("big", 4, 1), namespace.add("small", 1, 2)
    await namespace.reconcile(first, big, small)

    namespace.restart(limit=3)
    await namespace.reconcile(big, small)

    assert namespace.active() == {"first", "small"}


async def test_a_new_operator_knows_who_holds_and_who_waits(namespace: Namespace):
    first, big, small = namespace.add("first", 2, 0), namespace.add("big", 4, 1), namespace.add("small", 1, 2)
    await namespace.reconcile(first, big, small)

    namespace.restart()
    await namespace.reconcile(small)

    assert namespace.active() == {"first"}
    assert find_first_waiting(namespace.store) == {"team": big}


async def test_the_oldest_that_waits_is_reconciled_again(namespace: Namespace):
    first, big, small = namespace.add("first", 2, 0), namespace.add("big", 4, 1), namespace.add("small", 1, 2)
    await namespace.reconcile(first, big, small)
    config = OperatorConfig(limits=Limits(gpus_per_namespace=LIMIT))
    controller = Controller(namespace.cluster, namespace.store, config, clock=lambda: NOW)
    controller.lead()
    async with asyncio.timeout(10):
        while not controller.is_idle:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)
    namespace.end(first)

    await controller.enqueue_waiting()

    assert not controller.is_idle
    await controller.step_down()
