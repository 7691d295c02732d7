"""Only the fields in use are kept of an object, and one that can't be kept harms no other."""

import json
import sys
from typing import Any

import pytest

from finscribe_core.constants import CONTAINER_NAME
from finscribe_operator.intake import MAX_DEPTH, MAX_SPEC_BYTES, REFUSED, allow_deep_json, take_in
from finscribe_operator.objects import JobKey, Object
from finscribe_operator.observe import InvalidJob, observe
from finscribe_operator.store import Store
from tests.unit.operator.builders import a_batch_job, a_job, a_pod, failed

KEY = JobKey("team", "invoices")
BALLAST = "x" * 100_000
BIG_METADATA = {
    "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": BALLAST}}],
    "annotations": {"kubectl.kubernetes.io/last-applied-configuration": BALLAST},
    "finalizers": [BALLAST],
}


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def an_override(value: Any) -> Object:
    return a_job({"experiments": [{"name": "x", "overrides": {"training.learningRate": value}}]})


REFUSED_JOBS = {
    "an override that is nested 9,000 levels deep": (an_override(nested(9000)), "nested more than 32 levels"),
    "a spec that is nested too deeply for any schema": (a_job({"unknown": nested(100)}), "nested more than"),
    "a spec of half a megabyte": (a_job({"description": "x" * 500_000}), f"more than {MAX_SPEC_BYTES}"),
    "an override with 100,000 values": (an_override([1] * 100_000), f"more than {MAX_SPEC_BYTES}"),
}


@pytest.mark.parametrize("obj", [a_job(), a_batch_job("run-1"), a_pod("run-1")], ids=lambda o: o["kind"])
def test_managed_fields_annotations_and_finalizers_are_not_kept(obj: Object):
    kept = take_in({**obj, "metadata": {**obj["metadata"], **BIG_METADATA}})

    assert kept == take_in(obj)
    assert len(json.dumps(kept)) < 1000


def test_only_the_trainers_container_is_kept_of_a_pod():
    pod = a_pod("run-1", failed(1, "message"))
    small = take_in(pod)
    pod["spec"] |= {"volumes": [BALLAST], "initContainers": [BALLAST]}
    pod["spec"]["containers"][0]["env"] = [{"name": "A", "value": BALLAST}]
    pod["spec"]["containers"].append({"name": "sidecar", "args": [BALLAST]})
    pod["status"]["containerStatuses"].append({"name": "sidecar", "state": {"x": BALLAST}})

    assert take_in(pod) == small
    assert [c["name"] for c in small["spec"]["containers"]] == [CONTAINER_NAME]


def test_the_template_of_a_job_is_not_kept():
    job = a_batch_job("run-1")
    small = take_in(job)
    job["spec"]["template"] = {"spec": BALLAST}

    assert take_in(job) == small


def test_taking_in_twice_changes_nothing():
    for obj in (a_job(), a_batch_job("run-1"), a_pod("run-1"), an_override(nested(100))):
        assert take_in(take_in(obj)) == take_in(obj)


@pytest.mark.parametrize(("job", "reason"), REFUSED_JOBS.values(), ids=REFUSED_JOBS.keys())
def test_a_job_that_can_not_be_kept_is_invalid_and_keeps_its_status(job: Object, reason: str):
    store = Store()
    store.put({**job, "status": {"run": {"name": "run-1"}}})

    observed = observe(store, KEY)

    assert isinstance(observed, InvalidJob)
    assert reason in observed.problems
    assert observed.status.run is not None and observed.status.run.name == "run-1"
    assert store.refused == 1
    assert len(json.dumps(store.finetunejob(KEY))) < 1000


def test_a_status_that_is_too_deep_counts_as_empty():
    assert take_in(a_job(status={"run": nested(MAX_DEPTH)}))["status"] == {}


def test_an_object_of_a_shape_that_the_api_server_never_sends_is_refused_alone():
    pod = a_pod("run-1")
    pod["spec"]["containers"] = [7]

    assert "can't be read" in take_in(pod)[REFUSED]


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="only the parser of the image's version has no limit")
def test_the_interpreter_parses_objects_as_deep_as_an_api_server_accepts():
    text = '{"a":' * 10_003 + "1" + "}" * 10_003
    limit = sys.getrecursionlimit()
    with pytest.raises(RecursionError):
        json.loads(text)
    try:
        assert allow_deep_json()
        json.loads(text)
    finally:
        sys.setrecursionlimit(limit)
