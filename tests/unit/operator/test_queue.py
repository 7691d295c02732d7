"""A run in a queue of Kueue: what its status says, and who suspends and resumes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import pytest

from finscribe_core.api.conditions import Reason
from finscribe_core.constants import ANNOTATION_SUSPENDED, LABEL_QUEUE
from finscribe_operator.cluster import ForbiddenError
from finscribe_operator.config import OperatorConfig
from finscribe_operator.decide import Plan, decide
from finscribe_operator.gpu_limit import find_gpu_wait
from finscribe_operator.objects import JobKey, Object, key_of
from finscribe_operator.observe import Observed, observe
from finscribe_operator.polls import Polls
from finscribe_operator.status import build_status
from finscribe_operator.store import Store
from finscribe_operator.workloads import Workload
from tests.unit.operator.builders import NOW, a_batch_job, a_job, a_pod, ended, failed, run_name
from tests.unit.operator.memory_cluster import MemoryCluster

JOB = a_job({"queueName": "gpus"})
SUSPENDED = a_job({"queueName": "gpus", "suspend": True})
RUN = run_name(JOB)
NO_QUOTA = ("QuotaReserved", "False", "Pending", "couldn't assign flavors to pod set main")
PREEMPTED = ("Evicted", "True", "Preempted", "Preempted to accommodate a workload")
DEACTIVATED = ("Evicted", "True", "DeactivatedDueToRequeuingLimitExceeded", "Too many evictions")
RESERVED = ("QuotaReserved", "True", "QuotaReserved", "Quota reserved in ClusterQueue cluster")
ADMITTED = ("Admitted", "True", "Admitted", "The workload is admitted")


def a_queued_job(suspend: bool = True, status: Object | None = None) -> Object:
    job = a_batch_job(RUN, status, {"suspend": suspend})
    job["metadata"]["labels"][LABEL_QUEUE] = "gpus"
    return job


def a_workload(
    *conditions: Sequence[str], active: bool = True, annotations: dict[str, str] | None = None
) -> Object:
    return {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "Workload",
        "metadata": {
            "name": "job-1",
            "namespace": "team",
            "uid": "workload-uid",
            "labels": {"kueue.x-k8s.io/job-uid": f"{RUN}-uid"},
            "annotations": annotations or {},
        },
        "spec": {"queueName": "gpus", "active": active},
        "status": {
            "conditions": [
                dict(zip(("type", "status", "reason", "message"), c, strict=True)) for c in conditions
            ]
        },
    }


@dataclass(frozen=True)
class Case:
    """The Workload of a suspended Job, the expected reason of Running, and words of its message."""

    workload: Object | None
    reason: Reason
    words: tuple[str, ...]
    pods: tuple[Object, ...] = ()
    state: str = "Pending"
    suspend: bool = True


CASES = {
    "has not seen yet": Case(None, Reason.Queued, ("queue gpus", "not installed")),
    "has not considered yet": Case(a_workload(), Reason.Queued, ("waits in the queue gpus.",)),
    "has no quota for": Case(a_workload(NO_QUOTA), Reason.Queued, ("Pending: couldn't assign flavors",)),
    "checks": Case(a_workload(RESERVED), Reason.QuotaReserved, ("admission checks", "ClusterQueue cluster")),
    "has just admitted": Case(a_workload(RESERVED, ADMITTED), Reason.QuotaReserved, ("about to resume",)),
    "has preempted": Case(
        a_workload(PREEMPTED, NO_QUOTA),
        Reason.Requeued,
        ("waits in the queue gpus again", "Preempted to accommodate", "couldn't assign flavors"),
        pods=(a_pod(RUN, failed(75)),),  # of an attempt before, which the Job still has
    ),
    "has evicted, and whose pod still ends": Case(
        a_workload(PREEMPTED, RESERVED, ADMITTED),
        Reason.Stopping,
        ("saves a checkpoint", "Preempted to accommodate"),
        pods=(a_pod(RUN, deletionTimestamp=NOW),),
        state="Running",
    ),
    "was resumed in": Case(
        a_workload(("Evicted", "True", "Deactivated", "The workload is deactivated"), NO_QUOTA),
        Reason.Queued,
        ("Pending: couldn't assign flavors",),
    ),
    "has given up": Case(
        a_workload(DEACTIVATED, active=False),
        Reason.Deactivated,
        ("Too many evictions", "Set spec.active of the Workload job-1 to true"),
    ),
    "has resumed": Case(
        a_workload(RESERVED, ADMITTED), Reason.Pending, ("pod to be created",), suspend=False
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_status_describes_a_run_that_the_queue(case: Case):
    status = build_status(observed(JOB, a_queued_job(case.suspend), case.workload, *case.pods), NOW)
    running = next(c for c in status.conditions if c.type == "Running")

    assert (status.summary.state, running.reason) == (case.state, case.reason)
    for words in case.words:
        assert words in running.message


PATCH = {"metadata": {"annotations": {ANNOTATION_SUSPENDED: "true"}}, "spec": {"active": False}}
RESUME = {"metadata": {"annotations": {ANNOTATION_SUSPENDED: None}}, "spec": {"active": True}}
OURS = {ANNOTATION_SUSPENDED: "true"}
PLANS: dict[str, tuple[Object, Object | None, Object | None, Plan]] = {
    "is created for the queue": (JOB, None, None, Plan(create=True)),
    "is not created while it is suspended": (SUSPENDED, None, None, Plan()),
    "waits": (JOB, a_queued_job(), a_workload(), Plan()),
    "trains": (JOB, a_queued_job(suspend=False), a_workload(RESERVED, ADMITTED), Plan()),
    "is to be suspended": (
        SUSPENDED,
        a_queued_job(suspend=False),
        a_workload(RESERVED, ADMITTED),
        Plan(patch_workload=PATCH),
    ),
    "is to be suspended, and whose Workload is not known": (SUSPENDED, a_queued_job(), None, Plan()),
    "was suspended": (SUSPENDED, a_queued_job(), a_workload(active=False, annotations=OURS), Plan()),
    "is to be resumed": (
        JOB,
        a_queued_job(),
        a_workload(active=False, annotations=OURS),
        Plan(patch_workload=RESUME),
    ),
    "the queue gave up": (JOB, a_queued_job(), a_workload(DEACTIVATED, active=False), Plan()),
    "has ended": (
        SUSPENDED,
        a_queued_job(False, ended("Complete")),
        a_workload(RESERVED, ADMITTED),
        Plan(),
    ),
}


@pytest.mark.parametrize("case", PLANS.values(), ids=PLANS.keys())
def test_the_jobs_suspend_is_left_to_the_queue_of_a_run_that(
    case: tuple[Object, Object | None, Object | None, Plan],
):
    job, batch_job, workload, expected = case

    assert decide(observed(job, batch_job, workload), NOW) == expected


def test_a_job_that_a_default_put_into_a_queue_is_left_to_it_too():
    plan = decide(observed(a_job({"suspend": True}), a_queued_job(suspend=False), a_workload()), NOW)

    assert plan == Plan(patch_workload=PATCH)


class QueueingCluster(MemoryCluster):
    """Counts listings of Workloads, and may refuse them."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[str]] = []
        self.refuses = False

    async def list_workloads(self, namespace: str, jobs: Sequence[Object]) -> Sequence[Workload]:
        self.asked.append([job["metadata"]["name"] for job in jobs])
        if self.refuses:
            raise ForbiddenError("workloads is forbidden")
        return await super().list_workloads(namespace, jobs)


async def test_only_workloads_of_runs_that_wait_or_are_suspended_are_looked_up():
    cluster, store, queued = QueueingCluster(), Store(), list[JobKey]()
    polls = Polls(cluster, store, OperatorConfig(), lambda: NOW, queued.append, lambda: 0.0)
    versions = count(2)

    async def ask(job: Object, batch_job: Object) -> list[list[str]]:
        cluster.asked = []
        for obj in (job, batch_job):
            store.put({**obj, "metadata": {**obj["metadata"], "resourceVersion": str(next(versions))}})
        await polls.poll_workloads()
        return cluster.asked

    cluster.seed(a_workload(NO_QUOTA))
    assert await ask(JOB, a_queued_job()) == [[RUN]]
    assert queued == [key_of(JOB)]
    assert await ask(JOB, a_queued_job()) == [[RUN]]
    assert queued == [key_of(JOB)], "nothing has changed"
    assert await ask(JOB, a_queued_job(suspend=False)) == []
    assert await ask(SUSPENDED, a_queued_job(suspend=False)) == [[RUN]]
    assert await ask(SUSPENDED, a_queued_job(False, ended("Complete"))) == []
    assert await ask(JOB, a_batch_job(RUN, spec={"suspend": True})) == []

    cluster.refuses = True
    await ask(JOB, a_queued_job())  # is logged, and ends no other poll
    del cluster.objects["Workload", "team", "job-1"]
    cluster.refuses = False
    await ask(JOB, a_queued_job())
    assert len(queued) == 2, "its Workload is gone"


@pytest.mark.parametrize("suspend", [True, False])
def test_a_run_holds_its_gpus_of_the_namespace_from_when_it_is_put_into_a_queue(suspend: bool):
    store = Store()
    store.put(JOB)
    store.put(a_queued_job(suspend))
    other = JobKey("team", "other")
    spec = observed(JOB, None, None).job.spec

    assert "held by invoices (1)" in find_gpu_wait(store, other, spec, None, 1, {})
    assert find_gpu_wait(store, key_of(JOB), spec, a_queued_job(suspend), 1, {other: 1}) == ""


def observed(job: Object, batch_job: Object | None, workload: Object | None, *pods: Object) -> Observed:
    store = Store()
    store.put(job)
    for obj in (batch_job, *pods):
        if obj is not None:
            store.put(obj)
    if batch_job is not None and workload is not None:
        store.put_workload(batch_job, Workload.of(workload))
    result = observe(store, key_of(job))
    assert isinstance(result, Observed)
    return result
