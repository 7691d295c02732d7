"""What is left of a run is deleted some time after its end, and only then."""

import itertools

import pytest

from finscribe_core.api.v1alpha1 import FineTuneJobStatus, RunRecord
from finscribe_core.constants import (
    ANNOTATION_RETRY,
    LABEL_EXPERIMENT,
    LABEL_EXPERIMENT_OF,
    LABEL_TASK,
    TASK_DATA_CHECK,
)
from finscribe_operator.clock import add_seconds
from finscribe_operator.decide import Plan, decide
from finscribe_operator.due import seconds_until_due
from finscribe_operator.manifests import build_experiment
from finscribe_operator.objects import Object, key_of
from finscribe_operator.observe import Observed, observe
from finscribe_operator.runs import DEFAULTS, find_run
from finscribe_operator.store import Store
from tests.unit.operator.builders import NOW, a_batch_job, a_job, a_pod, ended, run_name
from tests.unit.operator.memory_cluster import MemoryCluster
from tests.unit.operator.test_crashes import end_jobs, names, run_killed_at, start_operator, status_of

HOUR = {"ttlSecondsAfterFinished": 3600}
WHOLE_JOB = HOUR | {"ttlTarget": "FineTuneJob"}
RUN = run_name(a_job())
BEFORE, AFTER = add_seconds(NOW, 3599), add_seconds(NOW, 3600)
JOB, OLDER = a_batch_job(RUN, ended("Complete")), a_batch_job("older", ended("Failed"))
LOWER = {"name": "lower", "overrides": {"training.learningRate": 1e-5}}


@pytest.mark.parametrize("end", ["Complete", "Failed"])
def test_the_jobs_of_all_runs_are_deleted_when_their_time_has_come(end: str):
    job, children = that_ended(HOUR, end), (a_batch_job(RUN, ended(end)), OLDER)
    assert plan(BEFORE, job, *children) == Plan()
    assert due(BEFORE, job, *children) == 1
    assert plan(AFTER, job, *children) == Plan(delete=list(children))
    assert (plan(AFTER, job), due(AFTER, job)) == (Plan(), None)  # nothing is made again


def test_nothing_is_deleted_without_a_time():
    assert plan(AFTER, that_ended({}), JOB, OLDER) == Plan()
    assert due(AFTER, that_ended({}), JOB, OLDER) is None


def test_a_run_is_not_deleted_while_it_continues():
    retried = that_ended(HOUR, "Failed")
    retried["metadata"]["annotations"] = {ANNOTATION_RETRY: "1"}
    job = a_batch_job(RUN, ended("Failed"))
    assert plan(AFTER, retried, job) == Plan(delete=[job], wait=True)
    assert plan(AFTER, retried, OLDER).create
    assert due(AFTER, retried, OLDER) is None

    changed = {**that_ended(HOUR), "spec": a_job(HOUR | {"lora": {"r": 8}})["spec"]}
    assert plan(AFTER, changed, JOB).create
    assert due(AFTER, changed, JOB) is None

    running = a_job(HOUR, status={"run": that_ended(HOUR)["status"]["run"], "conditions": []})
    assert plan(AFTER, running, a_batch_job(RUN), a_pod(RUN), OLDER).delete == []


async def test_an_earlier_run_that_is_promoted_again_is_deleted_when_that_is_done_with_its_config_map():
    promoting = that_ended(HOUR | {"ttlTarget": "FineTuneJob"})
    promoting["status"]["run"]["resultLookup"] = "Pending"
    assert not plan(AFTER, promoting, JOB).delete_finetunejob

    cluster = MemoryCluster()
    cluster.seed({**promoting, "spec": a_job(HOUR)["spec"]})
    await start_operator(cluster)
    assert names(cluster, "ConfigMap") == [RUN]
    end_jobs(cluster, ended("Complete"))
    await start_operator(cluster)
    assert names(cluster, "Job") == names(cluster, "ConfigMap") == []
    assert status_of(cluster).summary.state == "Complete"


def test_a_run_is_not_deleted_while_a_pod_that_checks_its_data_needs_its_config_map():
    check = a_batch_job("check")
    check["metadata"]["labels"] |= {LABEL_TASK: TASK_DATA_CHECK}
    assert JOB not in plan(AFTER, that_ended(HOUR), JOB, check).delete
    assert due(AFTER, that_ended(HOUR), JOB, check) is None


def test_what_is_being_deleted_is_not_waited_for():
    going = {**JOB, "metadata": JOB["metadata"] | {"deletionTimestamp": NOW}}
    assert (plan(AFTER, that_ended(HOUR), going), due(AFTER, that_ended(HOUR), going)) == (Plan(), None)


def test_the_whole_job_is_deleted_if_it_asks_for_that():
    assert plan(BEFORE, that_ended(WHOLE_JOB), JOB) == Plan()
    assert plan(AFTER, that_ended(WHOLE_JOB), JOB) == Plan(delete_finetunejob=True)
    assert plan(AFTER, that_ended(WHOLE_JOB)) == Plan(delete_finetunejob=True)


@pytest.mark.parametrize(
    ("change", "deletes"),
    {
        "it has ended": ({}, True),
        "it has failed": ({"state": "Failed"}, True),
        "it runs": ({"state": "Running"}, False),
        "its spec has changed": ({"generation": 2}, False),
        "it has other settings than the job says": ({"rate": 1e-6}, False),
        "it does not exist": (None, False),
    }.values(),
    ids=lambda value: None,
)
def test_a_job_is_not_deleted_before_its_experiments_have_ended(change: Object | None, deletes: bool):
    job = that_ended(WHOLE_JOB | {"experiments": [LOWER]})
    experiments = [] if change is None else [an_experiment(job, **change)]
    assert plan(AFTER, job, JOB, *experiments).delete_finetunejob is deletes
    assert (due(AFTER, job, JOB, *experiments) is not None) is deletes


def test_an_experiment_deletes_its_children_only():
    job = a_job(WHOLE_JOB | {"experiments": [LOWER]})
    spec = an_experiment(job)["spec"]
    assert spec["ttlSecondsAfterFinished"] == 3600 and "ttlTarget" not in spec


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("ttl", [{"ttlSecondsAfterFinished": 0}, {}])
async def test_an_operator_that_is_killed_leaves_nothing_behind_and_makes_nothing_again(
    after: bool, ttl: Object
):
    for write in itertools.count(1):
        cluster = MemoryCluster()
        cluster.seed(a_job(ttl))
        await start_operator(cluster)
        end_jobs(cluster, ended("Failed", "BackoffLimitExceeded", 4))
        killed = await run_killed_at(cluster, write, after)
        for kind in ("Job", "ConfigMap"):
            assert names(cluster, kind) == ([] if ttl else [RUN])
        assert cluster.created.count(f"Job/{RUN}") == 1
        assert status_of(cluster).summary.state == "Failed"
        if not killed:
            return


async def test_a_failed_run_whose_children_are_gone_is_made_anew_on_request():
    cluster = MemoryCluster()
    cluster.seed(a_job({"ttlSecondsAfterFinished": 0}))
    await start_operator(cluster)
    end_jobs(cluster, ended("Failed", "BackoffLimitExceeded", 4))
    await start_operator(cluster)
    (job,) = cluster.of_kind("FineTuneJob")
    cluster.seed({**job, "metadata": job["metadata"] | {"annotations": {ANNOTATION_RETRY: "1"}}})
    await start_operator(cluster)
    assert names(cluster, "Job") == names(cluster, "ConfigMap") == [RUN]
    assert status_of(cluster).summary.state == "Pending"


def that_ended(spec: Object, end: str = "Complete") -> Object:
    """A job whose run ended at NOW, and that has the record of an older run."""
    status = FineTuneJobStatus(
        run=find_run(a_job(), FineTuneJobStatus())[1]
        .build_status()
        .model_copy(update={"completion_time": NOW}),
        runs=[RunRecord(name="older", outcome="Failed", completion_time="2026-04-01T00:00:00Z")],
    ).to_kubernetes()
    condition = {"type": end, "status": "True", "reason": end, "lastTransitionTime": NOW}
    return a_job(spec, status=status | {"conditions": [condition]})


def an_experiment(job: Object, state: str = "Complete", generation: int = 1, rate: float = 1e-5) -> Object:
    parsed, _ = find_run(job, FineTuneJobStatus())
    experiment = build_experiment(parsed, job["spec"], DEFAULTS, parsed.spec.experiments[0])
    experiment["spec"]["training"]["learningRate"] = rate
    experiment["metadata"] |= {"uid": "experiment-uid", "generation": generation, "resourceVersion": "1"}
    assert {LABEL_EXPERIMENT, LABEL_EXPERIMENT_OF} <= experiment["metadata"]["labels"].keys()
    return experiment | {"status": {"observedGeneration": 1, "summary": {"state": state}}}


def observed(job: Object, *children: Object) -> Observed:
    store = Store()
    for obj in (job, *children):
        store.put(obj)
    result = observe(store, key_of(job))
    assert isinstance(result, Observed)
    return result


def plan(now: str, job: Object, *children: Object) -> Plan:
    return decide(observed(job, *children), now)


def due(now: str, job: Object, *children: Object) -> float | None:
    return seconds_until_due(observed(job, *children), now)
