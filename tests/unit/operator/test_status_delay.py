"""A status waits if it says what passes within seconds: the first one of a Job, and two later ones."""

from typing import Any

import pytest

from finscribe_operator import status_delay
from finscribe_operator.config import OperatorConfig
from finscribe_operator.metrics import Metrics
from finscribe_operator.objects import Object, key_of
from finscribe_operator.reconcile import Reconciler
from finscribe_operator.store import Store
from tests.unit.operator.builders import NOW, a_job, a_pod, run_name, succeeded
from tests.unit.operator.memory_cluster import MemoryCluster

RUN = run_name(a_job())
KEY = key_of(a_job())
RUNNING = {"phase": "Running", "containerStatuses": []}
SCHEDULED = {"type": "PodScheduled", "status": "True"}


class Started:
    """A job whose Job was just created, and the time since then."""

    @classmethod
    async def create(cls, spec: Object | None = None) -> "Started":
        self = cls()
        self.cluster, self.store, self.seconds = MemoryCluster(), Store(), 0.0
        self.store.put(self.cluster.seed(a_job(spec)))
        self.reconciler = Reconciler(
            self.cluster, self.store, OperatorConfig(), Metrics(self.store), lambda: NOW, lambda: self.seconds
        )
        self.due = await self.reconciler.reconcile(KEY)
        return self

    async def see(self, *objects: Object) -> float | None:
        """Reconcile after these objects were seen."""
        for obj in objects:
            self.store.put(self.cluster.seed(obj))
        return await self.reconciler.reconcile(KEY)

    def started_job(self) -> Object:
        """The Job as the Job controller starts it."""
        (job,) = self.cluster.of_kind("Job")
        return {**job, "status": {"startTime": NOW}}

    def pod(
        self, conditions: list[Object], node: str = "node-1", status: Object | None = None, **meta: Any
    ) -> Object:
        """Its pod, which is pending unless a status is given."""
        owners = [{"uid": self.started_job()["metadata"]["uid"], "controller": True}]
        pending = {"phase": "Pending", "containerStatuses": []}
        pod = a_pod(RUN, {**(status or pending), "conditions": conditions}, ownerReferences=owners, **meta)
        return {**pod, "spec": {**pod["spec"], "nodeName": node}}

    @property
    def messages(self) -> list[str]:
        """Those of the Running condition; empty without a status."""
        (job,) = self.cluster.of_kind("FineTuneJob")
        conditions = job.get("status", {}).get("conditions", [])
        return [each["message"] for each in conditions if each["type"] == "Running"]


@pytest.fixture(autouse=True)
def _waits(monkeypatch: pytest.MonkeyPatch, _no_job_controller: None) -> None:
    monkeypatch.setattr(status_delay, "FIRST_STATUS_SECONDS", 2.0)
    monkeypatch.setattr(status_delay, "PLACED_SECONDS", 0.3)
    monkeypatch.setattr(status_delay, "PASSING_SECONDS", 5.0)


@pytest.mark.parametrize("order", [1, -1])
async def test_start_of_the_job_and_node_of_its_pod_are_in_the_first_status(order: int):
    new = await Started.create()
    assert (new.due, new.messages) == (2.0, [])
    new.seconds = 0.1
    first, second = [new.started_job(), new.pod([])][::order]
    assert (await new.see(first), new.messages) == (1.9, [])
    assert (await new.see(second), new.messages) == (pytest.approx(0.2), [])
    assert await new.see(new.pod([SCHEDULED])) is None
    assert new.messages == ["The node is pulling the image or mounting volumes."]


async def test_a_pod_without_a_node_delays_the_first_status_by_an_instant():
    new = await Started.create()
    new.seconds = 0.3
    assert await new.see(new.started_job(), new.pod([], node="")) is None
    assert new.messages == ["Waiting for the scheduler to find a node."]


async def test_a_job_that_is_not_started_gets_its_status_after_two_seconds():
    new = await Started.create()
    new.seconds = 2.0
    assert (await new.see(), new.messages) == (None, ["Waiting for the run's pod to be created."])


async def test_a_suspended_job_has_nothing_to_wait_for():
    new = await Started.create({"suspend": True})
    assert (new.due, new.messages) == (None, ["No pod exists while spec.suspend is true."])


async def _waits_for_a_node() -> Started:
    """Its status says so."""
    new = await Started.create()
    new.seconds = 0.3
    await new.see(new.started_job(), new.pod([], node=""))
    return new


async def test_a_status_says_after_five_seconds_that_the_node_prepares_the_pod():
    new = await _waits_for_a_node()
    assert await new.see(new.pod([SCHEDULED])) == 5.0
    new.seconds = 5.2
    assert await new.see() == pytest.approx(0.1)
    assert new.messages == ["Waiting for the scheduler to find a node."]
    new.seconds = 5.3
    assert (await new.see(), new.messages) == (None, ["The node is pulling the image or mounting volumes."])


async def test_a_trainer_that_starts_earlier_takes_one_write():
    new = await _waits_for_a_node()
    await new.see(new.pod([SCHEDULED]))
    new.seconds = 3.0
    assert await new.see(new.pod([SCHEDULED], status=RUNNING)) is None
    assert new.messages == ["The trainer has started and has not reported yet."]


async def test_a_change_of_the_job_is_written_at_once():
    new = await _waits_for_a_node()
    await new.see(new.pod([SCHEDULED]))
    (job,) = new.cluster.of_kind("FineTuneJob")
    spec = {**job["spec"], "historyLimit": 3}
    assert await new.see({**job, "spec": spec, "metadata": {**job["metadata"], "generation": 2}}) is None
    assert new.messages == ["The node is pulling the image or mounting volumes."]


async def test_a_result_waits_for_the_end_of_the_job_unless_its_pod_is_being_deleted():
    new = await _waits_for_a_node()
    await new.see(new.pod([SCHEDULED], status=RUNNING))
    assert await new.see(new.pod([SCHEDULED], status=succeeded())) == 5.0
    assert new.messages == ["The trainer has started and has not reported yet."]
    assert await new.see(new.pod([SCHEDULED], status=succeeded(), deletionTimestamp=NOW)) is None
    assert new.messages == ["The pod has succeeded; the Job is about to complete."]
