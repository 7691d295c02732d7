"""Written values are completed by defaults: what is written wins, the pod's maps and lists add up."""

from typing import Any

import pytest

from finscribe_core.api.defaults import complete, defaults_of, override
from finscribe_core.api.v1alpha1 import FineTuneJobSpec
from tests.unit.operator.builders import a_job

TERM = {"matchExpressions": [{"key": "pool", "operator": "In", "values": ["gpu"]}]}
PREFERRED = [{"weight": 1, "preference": TERM}]
PLATFORM: dict[str, Any] = {
    "image": "registry.example.org/trainer:1",
    "activeDeadlineSeconds": 3600,
    "resources": {"cpu": "8"},
    "featureCache": {"persistentVolumeClaim": {"name": "features"}},
    "storage": {"endpoint": "https://s3.example.org", "serviceAccountName": "trainer"},
    "pod": {
        "labels": {"team": "a", "cost": "1"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "imagePullSecrets": [{"name": "registry"}],
        "env": [{"name": "HTTPS_PROXY", "value": "theirs"}, {"name": "NO_PROXY", "value": ".svc"}],
        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": PREFERRED}},
    },
}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "what is not written comes from the defaults": (
        {},
        {"image": "registry.example.org/trainer:1", "activeDeadlineSeconds": 3600, "backoffLimit": 3},
    ),
    "what is written wins": ({"image": "mine:1"}, {"image": "mine:1"}),
    "each field of a section for itself": (
        {"resources": {"memory": "8Gi"}},
        {"resources.cpu": "8", "resources.memory": "8Gi", "resources.gpus": 1},
    ),
    "an optional section as a whole": (
        {"featureCache": {"maxSize": "1Gi"}},
        {"featureCache.maxSize": "1Gi", "featureCache.persistentVolumeClaim": {"name": "features"}},
    ),
    "an optional section that no default enables stays unset": ({}, {"evaluation.gate": None}),
    "maps are merged by key": (
        {"pod": {"labels": {"cost": "2", "mine": "3"}}},
        {"pod.labels": {"team": "a", "cost": "2", "mine": "3"}},
    ),
    "lists of named things are merged by name": (
        {"pod": {"imagePullSecrets": [{"name": "mine"}, {"name": "registry"}]}},
        {"pod.imagePullSecrets": [{"name": "mine"}, {"name": "registry"}]},
    ),
    "tolerations add up": (
        {"pod": {"tolerations": [{"key": "spot", "operator": "Exists"}]}},
        {"pod.tolerations": [{"key": "spot", "operator": "Exists"}, {"key": "gpu", "operator": "Exists"}]},
    ),
    "the same toleration is not added": (
        {"pod": {"tolerations": [{"operator": "Exists", "key": "gpu"}]}},
        {"pod.tolerations": [{"key": "gpu", "operator": "Exists"}]},
    ),
    "an optional section without required fields": (
        {"pod": {"affinity": {"podAffinity": {}}}},
        {"pod.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution": PREFERRED},
    ),
    "environment variables are merged by name": (
        {"pod": {"env": [{"name": "HTTPS_PROXY", "value": "mine"}]}},
        {"pod.env": [{"name": "HTTPS_PROXY", "value": "mine"}, {"name": "NO_PROXY", "value": ".svc"}]},
    ),
    "other lists are replaced": (
        {"lora": {"targetModules": ["q_proj"]}},
        {"lora.targetModules": ["q_proj"]},
    ),
}


@pytest.mark.parametrize(("written", "expected"), CASES.values(), ids=CASES.keys())
def test_a_spec_is_completed(written: dict[str, Any], expected: dict[str, Any]):
    defaults = override(defaults_of(FineTuneJobSpec), PLATFORM)

    completed = complete(FineTuneJobSpec, a_job(written)["spec"], defaults)

    FineTuneJobSpec.model_validate(completed)
    assert {path: _at(completed, path) for path in expected} == expected


def _at(values: dict[str, Any], path: str) -> Any:
    for name in path.split("."):
        values = values.get(name) if values else None
    return values
