"""The first status of a new Job waits until the Job controller has started it, which costs one write less."""

import pytest

from finscribe_operator import reconcile
from finscribe_operator.config import OperatorConfig
from finscribe_operator.metrics import Metrics
from finscribe_operator.objects import Object, key_of
from finscribe_operator.reconcile import Reconciler
from finscribe_operator.store import Store
from tests.unit.operator.builders import NOW, a_job, a_pod, run_name
from tests.unit.operator.memory_cluster import MemoryCluster

RUN = run_name(a_job())
KEY = key_of(a_job())


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

    def pod(self, conditions: list[Object], node: str = "node-1") -> Object:
        """Its pod, which is pending."""
        owners = [{"uid": self.started_job()["metadata"]["uid"], "controller": True}]
        status = {"phase": "Pending", "conditions": conditions, "containerStatuses": []}
        pod = a_pod(RUN, status, ownerReferences=owners)
        return {**pod, "spec": {**pod["spec"], "nodeName": node}}

    @property
    def messages(self) -> list[str]:
        """Those of the Running condition; empty without a status."""
        (job,) = self.cluster.of_kind("FineTuneJob")
        conditions = job.get("status", {}).get("conditions", [])
        return [each["message"] for each in conditions if each["type"] == "Running"]


@pytest.fixture(autouse=True)
def _waits(monkeypatch: pytest.MonkeyPatch, _no_job_controller: None) -> None:
    monkeypatch.setattr(reconcile, "FIRST_STATUS_SECONDS", 2.0)
    monkeypatch.setattr(reconcile, "PLACED_SECONDS", 0.3)


@pytest.mark.parametrize("order", [1, -1])
async def test_start_of_the_job_and_node_of_its_pod_are_in_the_first_status(order: int):
    new = await Started.create()
    assert (new.due, new.messages) == (2.0, [])
    new.seconds = 0.1
    scheduled = {"type": "PodScheduled", "status": "True"}
    first, second = [new.started_job(), new.pod([])][::order]
    assert (await new.see(first), new.messages) == (1.9, [])
    assert (await new.see(second), new.messages) == (pytest.approx(0.2), [])
    assert await new.see(new.pod([scheduled])) is None
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
