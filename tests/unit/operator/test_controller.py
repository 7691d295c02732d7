"""The controller retries failures, isolates defects and never reconciles a job twice at a time."""

import asyncio
import itertools
from collections.abc import Callable

import pytest

from finscribe_core.api.v1alpha1 import FineTuneJobStatus
from finscribe_core.constants import LABEL_EXPERIMENT_OF, LABEL_JOB
from finscribe_operator.cluster import ForbiddenError, TransientError
from finscribe_operator.config import OperatorConfig
from finscribe_operator.controller import Controller
from finscribe_operator.metrics import Metrics
from finscribe_operator.objects import JobKey, Object, Ref, key_of, label
from finscribe_operator.reconcile import Reconciler
from finscribe_operator.store import Store
from finscribe_operator.work_queue import WorkQueue
from tests.unit.operator.builders import NOW, a_batch_job, a_job, run_name
from tests.unit.operator.memory_cluster import MemoryCluster


class FlakyCluster(MemoryCluster):
    """Fails the first creations."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures

    async def create(self, manifest: Object) -> Object:
        if self.failures:
            self.failures -= 1
            raise TransientError("no answer")
        return await super().create(manifest)


class DefectiveCluster(MemoryCluster):
    """Raises an unexpected exception for one job."""

    defects = 0

    async def create(self, manifest: Object) -> Object:
        if "defective" in manifest["metadata"]["name"]:
            self.defects += 1
            raise KeyError("a bug")
        return await super().create(manifest)


class ConcurrentlyEdited(MemoryCluster):
    """A user changes the spec while the first run is created, and the watch event arrives at once."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store

    async def create(self, manifest: Object) -> Object:
        live = self.of_kind("FineTuneJob")[0]
        if manifest["kind"] == "Job" and live["metadata"]["generation"] == 1:
            edited = {**live, "spec": a_job({"lora": {"r": 8}})["spec"]}
            edited["metadata"]["generation"] = 2
            self.store.put(self.seed(edited))
        return await super().create(manifest)


class UndeletableCluster(MemoryCluster):
    """An admission webhook rejects deletions."""

    async def delete(self, ref: Ref, version: str = "") -> None:
        raise ForbiddenError("denied by a webhook")


class RecordingController(Controller):
    """Records the jobs that it queues."""

    def __init__(self, cluster: MemoryCluster) -> None:
        super().__init__(cluster, Store(), OperatorConfig(), clock=lambda: NOW)
        self.queued: list[JobKey] = []

    def enqueue(self, key: JobKey) -> None:
        self.queued.append(key)
        super().enqueue(key)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - a dictionary has no event to wait for
            await asyncio.sleep(0.01)


async def test_a_transient_error_is_retried_and_shown_in_the_status():
    cluster = FlakyCluster(failures=2)
    cluster.seed(a_job())
    controller = Controller(cluster, Store(), OperatorConfig(), clock=lambda: NOW)
    await controller.start()
    controller.lead()
    await until(lambda: "no answer" in str(cluster.of_kind("FineTuneJob")[0].get("status", "")))
    await until(lambda: controller.is_idle)
    await controller.stop()
    assert [job["metadata"]["name"] for job in cluster.of_kind("Job")] == [run_name(a_job())]


async def test_a_listing_after_an_interruption_queues_only_the_jobs_that_it_changes():
    cluster = MemoryCluster()
    other = a_job()
    other["metadata"] |= {"name": "other", "uid": "other-uid"}
    cluster.seed(a_job())
    cluster.seed(other)
    controller = RecordingController(cluster)
    await controller.start()
    controller.lead()
    await until(lambda: controller.is_idle)
    lost = next(job for job in cluster.of_kind("Job") if label(job, LABEL_JOB) == "other")
    await cluster.delete(Ref.of(lost))
    controller.queued.clear()

    await controller.catch_up()

    assert controller.queued == [key_of(other)]
    await controller.stop()


async def test_a_new_status_of_an_experiment_queues_its_parent():
    cluster = MemoryCluster()
    experiment = a_job()
    experiment["metadata"]["labels"] = {LABEL_EXPERIMENT_OF: "parent"}
    cluster.seed(experiment)
    controller = RecordingController(cluster)
    await controller.start()
    controller.queued.clear()
    controller.lead()
    await until(lambda: controller.is_idle)
    await controller.stop()

    assert "status" in cluster.of_kind("FineTuneJob")[0]
    assert set(controller.queued) == {key_of(experiment), JobKey("team", "parent")}


@pytest.mark.parametrize("turns", range(4))
async def test_a_controller_that_is_stopped_just_after_it_leads_ends(turns: int):
    controller = Controller(MemoryCluster(), Store(), OperatorConfig(), clock=lambda: NOW)
    await controller.start()
    for _ in range(3):
        await asyncio.sleep(0)  # it waits for something to list
    controller.lead()
    for _ in range(turns):
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await controller.stop()


async def test_a_defect_with_one_job_does_not_stop_another():
    cluster = DefectiveCluster()
    cluster.seed(a_job())
    defective = a_job()
    defective["metadata"] |= {"name": "defective", "uid": "defective-uid"}
    cluster.seed(defective)
    controller = Controller(cluster, Store(), OperatorConfig(max_concurrent_reconciles=1), clock=lambda: NOW)
    await controller.start()
    controller.lead()
    await until(lambda: bool(cluster.of_kind("Job")) and cluster.defects > 1)
    await controller.stop()
    assert [job["metadata"]["name"] for job in cluster.of_kind("Job")] == [run_name(a_job())]


async def test_the_status_shows_why_an_older_run_cannot_be_deleted():
    cluster = UndeletableCluster()
    cluster.seed(a_job())
    cluster.seed(a_batch_job("invoices-older"))
    controller = Controller(cluster, Store(), OperatorConfig(), clock=lambda: NOW)
    await controller.start()
    controller.lead()
    await until(lambda: "denied by a webhook" in str(cluster.of_kind("FineTuneJob")[0].get("status", "")))
    await controller.stop()
    assert [job["metadata"]["name"] for job in cluster.of_kind("Job")] == ["invoices-older"]


async def test_reconciling_an_older_spec_writes_no_status_of_a_newer_one():
    store = Store()
    cluster = ConcurrentlyEdited(store)
    cluster.seed(a_job())
    store.put(cluster.of_kind("FineTuneJob")[0])
    reconciler = Reconciler(cluster, store, OperatorConfig(), Metrics(store), lambda: NOW)
    await reconciler.reconcile(key_of(a_job()))
    status = FineTuneJobStatus.model_validate(cluster.of_kind("FineTuneJob")[0].get("status", {}))
    assert status.observed_generation == 0


async def test_a_key_is_never_processed_twice_at_once():
    queue, key = WorkQueue(), JobKey("team", "invoices")
    queue.add(key)
    queue.add(key)
    assert await queue.get() == key
    queue.add(key)
    second = asyncio.ensure_future(queue.get())
    await asyncio.sleep(0)
    assert not second.done()
    queue.succeeded(key)
    assert await second == key
    queue.succeeded(key)
    assert queue.is_idle


async def test_a_key_is_queued_at_the_time_at_which_it_is_due():
    queue, key = WorkQueue(), JobKey("team", "invoices")
    queue.add_later(key, 3600)
    queue.add_later(key, 0)
    assert await queue.get() == key
    queue.succeeded(key)
    queue.add_later(key, 0)
    queue.add_later(key, None)
    await asyncio.sleep(0.01)
    assert queue.is_idle


async def test_the_retry_delay_grows_until_a_success():
    delays: list[float] = []
    queue, key = WorkQueue(timer=lambda: sum(delays)), JobKey("team", "invoices")
    for _ in range(12):
        queue.add(key)
        delays.append(queue.failed(await queue.get()))
    assert all(later > sooner for sooner, later in itertools.pairwise(delays[1:8]))
    assert max(delays) <= 150
    queue.add(key)
    queue.succeeded(await queue.get())
    queue.add(key)
    assert queue.failed(await queue.get()) < 1
    queue.close()


async def test_a_job_that_has_failed_many_times_within_seconds_does_not_wait_for_minutes():
    now = 0.0
    queue, key = WorkQueue(timer=lambda: now), JobKey("team", "invoices")
    for _ in range(20):  # once for each event of an outage
        queue.add(key)
        delay = queue.failed(await queue.get())
        now += 0.5
    assert delay < 15
    queue.close()
