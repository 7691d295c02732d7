"""A run whose pod holds a node and does not start is ended, with the cause; nothing else is."""

import itertools
from typing import Any

import pytest

from finscribe_core.api.v1alpha1 import FineTuneJobStatus
from finscribe_core.constants import ANNOTATION_RETRY, ANNOTATION_START_DEADLINE
from finscribe_operator.clock import add_seconds
from finscribe_operator.config import OperatorConfig
from finscribe_operator.decide import Plan, decide
from finscribe_operator.limits import Limits
from finscribe_operator.metrics import Metrics
from finscribe_operator.objects import Object, key_of
from finscribe_operator.observe import Observed, observe
from finscribe_operator.outcome import read_outcome
from finscribe_operator.policies import Policy
from finscribe_operator.reconcile import Reconciler
from finscribe_operator.runs import find_run
from finscribe_operator.store import Store
from tests.unit.operator.builders import (
    EARLIER,
    NOW,
    a_batch_job,
    a_job,
    a_pod,
    ended,
    failed,
    run_name,
    waiting,
)
from tests.unit.operator.memory_cluster import MemoryCluster
from tests.unit.operator.test_crashes import names, run_killed_at, start_operator, status_of

LIMIT = {"startDeadlineSeconds": 600}
RUN = run_name(a_job())
IN_TIME, LATE = add_seconds(NOW, 599), add_seconds(NOW, 600)
PULLING = waiting("ImagePullBackOff", "no such image")
DISRUPTED = {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}
SCHEDULED = {"type": "PodScheduled", "status": "True", "lastTransitionTime": NOW}


def a_starting_pod(status: Object | None = None, **rest: Any) -> Object:
    """A pod that was created an hour before it got a node."""
    return a_pod(RUN, PULLING | {"conditions": [SCHEDULED]} | (status or {}), **rest)


def test_a_pod_has_as_long_as_the_job_says_from_the_time_at_which_it_gets_a_node():
    assert plan(IN_TIME, a_batch_job(RUN), a_starting_pod()) == Plan()
    patch = plan(LATE, a_batch_job(RUN), a_starting_pod()).patch
    assert patch["spec"] == {"activeDeadlineSeconds": 1}
    assert patch["metadata"]["annotations"] == {
        ANNOTATION_START_DEADLINE: f"Pod {RUN}-0 has not started within 600 s on node node-1: "
        "ImagePullBackOff: no such image. Check spec.image and spec.pod.imagePullSecrets."
    }


def test_a_pod_without_a_time_of_assignment_has_as_long_from_its_creation():
    assert plan(EARLIER, a_batch_job(RUN), a_starting_pod({"conditions": []})) == Plan()
    assert plan(LATE, a_batch_job(RUN), a_starting_pod({"conditions": []})).patch


def test_every_attempt_has_as_long():
    first, second = a_pod(RUN, failed(75)), a_starting_pod(attempt=1)
    assert plan(IN_TIME, a_batch_job(RUN), first, second) == Plan()
    assert f"Pod {RUN}-1" in str(plan(LATE, a_batch_job(RUN), first, second).patch)


@pytest.mark.parametrize(
    "children",
    {
        "the pod runs": [a_batch_job(RUN), a_pod(RUN)],
        "the pod has no node": [a_batch_job(RUN), {**a_starting_pod(), "spec": {"containers": []}}],
        "the pod is being deleted": [a_batch_job(RUN), a_starting_pod(deletionTimestamp=NOW)],
        "the pod's node is lost": [a_batch_job(RUN), a_starting_pod({"conditions": [SCHEDULED, DISRUPTED]})],
        "the pod has failed": [a_batch_job(RUN), a_starting_pod({"phase": "Failed"})],
        "there is no pod": [a_batch_job(RUN)],
        "a queue has suspended it": [a_batch_job(RUN, spec={"suspend": True}), a_starting_pod()],
        "the Job has ended": [a_batch_job(RUN, ended("Failed", "BackoffLimitExceeded")), a_starting_pod()],
    }.values(),
    ids=lambda value: None,
)
def test_nothing_is_ended_when(children: list[Object]):
    assert plan(LATE, *children).patch == {}


def test_a_run_that_is_to_be_suspended_is_not_ended():
    patch = plan(LATE, a_batch_job(RUN), a_starting_pod(), spec=LIMIT | {"suspend": True}).patch
    assert patch["spec"] == {"suspend": True}


def test_without_a_limit_a_pod_may_start_whenever_it_can():
    spec = {"startDeadlineSeconds": 0}
    assert plan(add_seconds(NOW, 10**6), a_batch_job(RUN), a_starting_pod(), spec=spec) == Plan()


def test_a_job_that_was_told_to_end_is_told_once_and_stays_so():
    told = a_batch_job(RUN, spec={"activeDeadlineSeconds": 1})
    told["metadata"]["annotations"] = {ANNOTATION_START_DEADLINE: "Too late."}
    assert plan(LATE, told, a_starting_pod(), spec=LIMIT | {"activeDeadlineSeconds": 3600}) == Plan()
    undone = {**told, "spec": told["spec"] | {"activeDeadlineSeconds": 3600}}
    assert plan(LATE, undone, a_starting_pod()).patch == {"spec": {"activeDeadlineSeconds": 1}}


def test_the_end_of_such_a_job_has_a_reason_of_its_own_with_the_cause_and_the_remedy():
    told = a_batch_job(RUN, ended("Failed", "DeadlineExceeded"), {"activeDeadlineSeconds": 1})
    told["metadata"]["annotations"] = {ANNOTATION_START_DEADLINE: "Pod x has not started: no such image."}
    outcome = read_outcome(told, ())
    assert outcome is not None and outcome.failure is not None
    assert outcome.failure.reason == "StartDeadlineExceeded"
    assert str(outcome.failure).startswith("Pod x has not started: no such image. Correct that, or raise ")


def test_the_deadline_of_such_a_job_is_not_one_that_the_operators_limits_concern():
    told = a_batch_job(RUN, spec={"activeDeadlineSeconds": 1})
    told["metadata"]["annotations"] = {ANNOTATION_START_DEADLINE: "Too late."}
    run = find_run(a_job(LIMIT), FineTuneJobStatus())[1].build_status()
    store, job = Store(), a_job(LIMIT, status={"run": run.to_kubernetes() | {"startTime": EARLIER}})
    for obj in (job, told):
        store.put(obj)
    assert isinstance(observe(store, key_of(job), Policy(Limits(gpus=0))), Observed)


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
async def test_an_operator_that_is_killed_ends_the_run_once_and_a_retry_starts_it_again(after: bool):
    for write in itertools.count(1):
        cluster = MemoryCluster()
        cluster.seed(a_job({"startDeadlineSeconds": 60}))
        await start_operator(cluster)
        (job,) = cluster.of_kind("Job")
        pod = a_starting_pod(
            {"conditions": [SCHEDULED | {"lastTransitionTime": EARLIER}]},
            ownerReferences=[{"uid": job["metadata"]["uid"], "controller": True}],
        )
        cluster.seed(pod)
        killed = await run_killed_at(cluster, write, after)
        kubernetes_ends(cluster)
        killed = await run_killed_at(cluster, write, after) or killed
        assert [c.reason for c in status_of(cluster).conditions if c.type == "Failed"] == [
            "StartDeadlineExceeded"
        ]
        assert "no such image" in status_of(cluster).model_dump_json()
        assert cluster.created.count(f"Job/{RUN}") == 1

        (job,) = cluster.of_kind("FineTuneJob")
        cluster.seed({**job, "metadata": job["metadata"] | {"annotations": {ANNOTATION_RETRY: "1"}}})
        await start_operator(cluster)
        assert names(cluster, "Job") == [RUN]
        assert cluster.created.count(f"Job/{RUN}") == 2
        if not killed:
            return


async def test_a_pod_whose_start_a_watch_has_not_shown_is_not_ended():
    cluster, store = MemoryCluster(), Store()
    for obj in (a_job({"startDeadlineSeconds": 60}), a_batch_job(RUN), a_pod(RUN)):
        store.put(cluster.seed(obj))
    old = a_starting_pod({"conditions": [SCHEDULED | {"lastTransitionTime": EARLIER}]})
    store.remove(a_pod(RUN))
    store.forget_versions()
    store.put(old)
    await Reconciler(cluster, store, OperatorConfig(), Metrics(store), lambda: NOW).reconcile(key_of(a_job()))
    (job,) = cluster.of_kind("Job")
    assert "activeDeadlineSeconds" not in job["spec"]
    assert [pod["status"]["phase"] for pod in store.all_pods()] == ["Running"]


def kubernetes_ends(cluster: MemoryCluster) -> None:
    """Do what the Job controller does with a Job whose deadline has passed."""
    (job,) = cluster.of_kind("Job")
    assert job["spec"]["activeDeadlineSeconds"] == 1
    cluster.seed({**job, "status": ended("Failed", "DeadlineExceeded", 1)})
    cluster.objects = {key: obj for key, obj in cluster.objects.items() if key[0] != "Pod"}


def plan(now: str, *children: Object, spec: Object = LIMIT) -> Plan:
    store, job = Store(), a_job(spec)
    for obj in (job, *children):
        store.put(obj)
    observed = observe(store, key_of(job))
    assert isinstance(observed, Observed)
    return decide(observed, now)
