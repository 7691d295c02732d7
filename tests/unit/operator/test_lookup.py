"""The bucket is searched for the result of a run whose status was lost, or that is current again."""

import itertools
from typing import Any

import pytest

from finscribe_core.api.v1alpha1 import FineTuneJobStatus, ResultLookup, RunRecord
from finscribe_core.report import EvaluationReport, GateVerdict
from finscribe_operator.config import OperatorConfig
from finscribe_operator.decide import Plan, decide
from finscribe_operator.manifests import build_lookup_job, lookup_name
from finscribe_operator.objects import Object, key_of
from finscribe_operator.observe import Observed, observe
from finscribe_operator.runs import find_run
from finscribe_operator.status import build_status
from finscribe_operator.store import Store
from tests.unit.operator.builders import EARLIER, NOW, a_batch_job, a_job, a_pod, a_success, ended, run_name
from tests.unit.operator.memory_cluster import MemoryCluster
from tests.unit.operator.test_crashes import run_killed_at, start_operator, status_of

RUN = run_name(a_job())
LOOKUP = lookup_name(RUN)
OTHER = a_job({"lora": {"r": 8}})


def old_job(spec: Object | None = None, **rest: Any) -> Object:
    job = a_job(spec, **rest)
    job["metadata"]["creationTimestamp"] = EARLIER
    return job


def lookup(*, status: Object | None = None) -> Object:
    """The Job that looks for the result, as the API server returns it."""
    job = a_batch_job(LOOKUP, status)
    job["metadata"]["labels"]["finscribe.io/task"] = "lookup"
    return job


def observed(job: Object, *children: Object) -> Observed:
    store = Store()
    for obj in (job, *children):
        store.put(obj)
    found = observe(store, key_of(job))
    assert isinstance(found, Observed)
    return found


def looking(**fields: Any) -> Object:
    """A job whose status shows that the bucket is being searched."""
    run = find_run(old_job(), FineTuneJobStatus())[1].build_status()
    run = run.model_copy(update={"result_lookup": ResultLookup.Pending, **fields})
    return old_job(status={"run": run.to_kubernetes(), "conditions": []})


def test_a_job_without_a_status_that_is_older_than_minutes_looks_for_its_result_first():
    plan = decide(observed(old_job()), NOW)
    assert plan.status is not None and plan.status.run is not None
    assert plan.status.run.result_lookup is ResultLookup.Pending
    assert (plan.create, plan.create_lookup) == (False, True)


def test_a_job_that_was_restored_from_a_backup_looks_for_its_result_first():
    restored = a_job()
    restored["metadata"]["labels"] = {"velero.io/restore-name": "monday"}
    assert decide(observed(restored), NOW).create_lookup


def test_a_new_job_does_not_look_for_a_result():
    assert decide(observed(a_job()), NOW) == Plan(create=True)


def test_a_job_of_which_a_job_or_pod_is_left_does_not_look_for_a_result():
    assert decide(observed(old_job(), a_batch_job(RUN)), NOW) == Plan()
    assert decide(observed(old_job(), a_pod(RUN)), NOW) == Plan()


def test_nothing_is_created_while_the_bucket_is_searched():
    assert decide(observed(looking(), lookup()), NOW) == Plan()


def test_a_suspended_job_is_suspended_and_looks_for_its_result_only_when_it_is_resumed():
    job = looking()
    job["spec"]["suspend"] = True
    seen = observed(job)

    assert (decide(seen, NOW).create_lookup, build_status(seen, NOW).summary.state) == (False, "Suspended")


def test_a_result_that_is_found_completes_the_run_without_training():
    found = observed(looking(), lookup(status=ended("Complete")), _succeeded_pod())
    status = build_status(found, NOW)
    assert (status.summary.state, status.metrics.best_eval_loss) == ("Complete", "0.27")
    assert status.run is not None
    assert (status.run.result_lookup, status.run.completion_time) == (ResultLookup.Found, NOW)
    after = observed({**looking(), "status": status.to_kubernetes()}, lookup(status=ended("Complete")))
    assert decide(after, NOW) == Plan(delete_tasks=[after.tasks[LOOKUP]])


def test_without_a_result_the_run_is_trained():
    failed = lookup(status=ended("Failed", "PodFailurePolicy", 1))
    status = build_status(observed(looking(), failed), NOW)
    assert (status.summary.state, status.run and status.run.result_lookup) == ("Pending", "NotFound")
    plan = decide(observed({**looking(), "status": status.to_kubernetes()}), NOW)
    assert plan == Plan(create=True)


def test_going_back_to_an_earlier_run_is_promoted_only_when_latest_json_names_it():
    record = RunRecord(name=RUN, outcome="Succeeded", completion_time=EARLIER)
    other = find_run(OTHER, FineTuneJobStatus())[1].build_status()
    job = a_job(status={"run": other.to_kubernetes(), "runs": [record.to_kubernetes()], "conditions": []})
    plan = decide(observed(job), NOW)
    assert plan.status is not None
    assert _condition(plan.status, "Promoted") == ("False", "Promoting")
    assert (plan.create, plan.create_lookup, plan.status.summary.state) == (False, True, "Complete")

    back = {**job, "status": plan.status.to_kubernetes()}
    moved = build_status(observed(back, lookup(status=ended("Complete")), _succeeded_pod()), NOW)
    assert _condition(moved, "Promoted") == ("True", "NoGate")
    assert moved.run is not None and moved.run.completion_time == EARLIER
    denied = build_status(observed(back, lookup(status=ended("Failed"))), NOW)
    assert (_condition(denied, "Promoted"), denied.summary.state) == (("False", "Finished"), "Complete")


def test_going_back_to_a_run_that_failed_its_gate_changes_nothing_in_the_bucket():
    failed = EvaluationReport(gate=GateVerdict(passed=False, message="0.2 is below 0.9."))
    record = RunRecord(name=RUN, outcome="Succeeded", completion_time=EARLIER, evaluation=failed)
    other = find_run(OTHER, FineTuneJobStatus())[1].build_status()
    job = a_job(status={"run": other.to_kubernetes(), "runs": [record.to_kubernetes()], "conditions": []})
    plan = decide(observed(job), NOW)
    assert plan.status is not None and not plan.create_lookup
    assert _condition(plan.status, "Promoted") == ("False", "GateFailed")


SPREAD = {
    "maxSkew": 1,
    "topologyKey": "zone",
    "whenUnsatisfiable": "DoNotSchedule",
    "labelSelector": {"matchLabels": {"gpu": "yes"}},
}


def test_the_pod_that_looks_for_a_result_uses_no_gpu_and_none_of_its_nodes():
    spec = {
        "resources": {"gpus": 4},
        "pod": {
            "nodeSelector": {"gpu": "yes"},
            "tolerations": [{"key": "gpu"}],
            "runtimeClassName": "nvidia",
            "affinity": {"nodeAffinity": {}},
            "topologySpreadConstraints": [SPREAD],
            "schedulerName": "gpu-scheduler",
            "volumes": [
                {"name": "hub", "persistentVolumeClaim": {"claimName": "hub"}},
                {"name": "base", "image": {"reference": "base:1"}},
                {"name": "aws", "configMap": {"name": "aws"}},
            ],
            "volumeMounts": [{"name": name, "mountPath": f"/{name}"} for name in ("hub", "base", "aws")],
            "env": [{"name": "AWS_CONFIG_FILE", "value": "/aws/config"}],
        },
        "storage": {"caBundle": {"configMapName": "ca"}, "serviceAccountName": "trainer"},
        "featureCache": {"persistentVolumeClaim": {"name": "features"}},
        "cache": {"persistentVolumeClaim": {"name": "downloads"}},
    }
    job, desired = find_run(a_job(spec), FineTuneJobStatus())
    manifest = build_lookup_job(job, desired.name, OperatorConfig())
    pod = manifest["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"][-1] == "--published-only" and "--nproc-per-node" not in container["args"]
    assert "nvidia.com/gpu" not in str(container["resources"])
    assert not pod.keys() & {"nodeSelector", "tolerations", "runtimeClassName"}
    assert not pod.keys() & {"affinity", "topologySpreadConstraints", "schedulerName"}
    names = {"config", "work", "tmp", "shm", "aws", "ca-bundle"}  # none that ties the pod to a node
    assert {volume["name"] for volume in pod["volumes"]} == names
    assert {mount["name"] for mount in container["volumeMounts"]} == names
    assert {"name": "AWS_CONFIG_FILE", "value": "/aws/config"} in container["env"]
    assert "FINSCRIBE_IMAGE_MOUNTS" not in [variable["name"] for variable in container["env"]]
    assert pod["serviceAccountName"] == "trainer"
    assert {"name": "FINSCRIBE_RUN", "value": desired.name} in container["env"]
    assert manifest["metadata"]["name"] == lookup_name(desired.name) != desired.name


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
async def test_an_operator_killed_at_any_write_looks_once_and_trains_nothing(after: bool):
    for write in itertools.count(1):
        cluster = MemoryCluster()
        cluster.seed(old_job())
        killed = await run_killed_at(cluster, write, after)
        assert cluster.created.count(f"Job/{LOOKUP}") == 1
        (job,) = cluster.of_kind("Job")
        cluster.seed({**job, "status": ended("Complete")})
        cluster.seed({**_succeeded_pod(), "metadata": _pod_metadata(job)})
        await start_operator(cluster)
        assert status_of(cluster).summary.state == "Complete"
        assert cluster.of_kind("Job") == [] and f"Job/{RUN}" not in cluster.created
        if not killed:
            assert write > 3
            return


def _succeeded_pod() -> Object:
    terminated = {"exitCode": 0, "message": a_success()}
    state = {"containerStatuses": [{"name": "trainer", "state": {"terminated": terminated}}]}
    return a_pod(LOOKUP, {"phase": "Succeeded", **state})


def _pod_metadata(job: Object) -> Object:
    return _succeeded_pod()["metadata"] | {
        "ownerReferences": [{"uid": job["metadata"]["uid"], "controller": True}]
    }


def _condition(status: FineTuneJobStatus, type_: str) -> tuple[str, str]:
    return next((c.status, c.reason) for c in status.conditions if c.type == type_)
