"""A job that asks for more than the platform team allows is Invalid, with each limit by name."""

from typing import Any

import pytest

from finscribe_core.api.v1alpha1 import FineTuneJob
from finscribe_operator.config import OperatorConfig
from finscribe_operator.controller import Controller
from finscribe_operator.limits import Limits, find_excesses
from finscribe_operator.objects import JobKey, Object
from finscribe_operator.observe import InvalidJob, Observed, observe
from finscribe_operator.reconcile import Reconciler
from finscribe_operator.store import Store
from tests.unit.operator.builders import NOW, a_batch_job, a_job, run_name
from tests.unit.operator.memory_cluster import MemoryCluster

LIMITS = Limits.model_validate(
    {
        "images": ["registry.example.org/finscribe/*"],
        "buckets": ["s3://{namespace}-docs/*", "s3://{namespace}-models/*"],
        "endpoints": ["https://s3.example.org"],
        "serviceAccounts": ["finscribe-trainer"],
        "secrets": ["s3-*"],
        "imagePullSecrets": ["registry"],
        "persistentVolumeClaims": ["features-*"],
        "priorityClasses": ["batch-*"],
        "runtimeClasses": [],
        "labels": ["example.org/*"],
        "annotations": ["example.org/*"],
        "nodeSelectors": ["example.org/pool"],
        "tolerations": ["nvidia.com/gpu"],
        "gpuResourceNames": ["nvidia.com/gpu"],
        "gpus": 4,
        "cpu": "32",
        "memory": "256Gi",
        "scratch": "1Ti",
    }
)
ALLOWED: Object = {
    "model": {"source": "hf://PaddlePaddle/PaddleOCR-VL"},
    "dataset": {"train": "s3://team-docs/train.jsonl"},
    "output": {"uri": "s3://team-models"},
    "image": "registry.example.org/finscribe/trainer:0.1.0",
    "storage": {"endpoint": "https://s3.example.org", "credentialsSecretRef": {"name": "s3-credentials"}},
    "featureCache": {"persistentVolumeClaim": {"name": "features-1"}},
    "resources": {"gpus": 4, "cpu": "32000m", "memory": "256Gi", "scratch": "1024Gi"},
    "pod": {
        "labels": {"example.org/team": "a"},
        "annotations": {"example.org/note": "b"},
        "nodeSelector": {"example.org/pool": "gpu"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        "priorityClassName": "batch-low",
        "imagePullSecrets": [{"name": "registry"}],
    },
}

EXCESSES: dict[str, tuple[Object, list[str]]] = {
    "an image": ({"image": "registry.attacker.example/a:1"}, ["spec.image", "images"]),
    "an image that begins alike": (
        {"image": "registry.example.org.attacker.example/finscribe/a"},
        ["spec.image", "images"],
    ),
    "another team's documents": (
        {"dataset": {"train": "s3://other-docs/a.jsonl"}},
        ["spec.dataset.train", "buckets"],
    ),
    "another team's test set": (
        {"dataset": {"train": "s3://team-docs/a.jsonl", "test": "s3://other/a"}},
        ["spec.dataset.test", "buckets"],
    ),
    "a bucket that begins alike": (
        {"output": {"uri": "s3://team-models-of-mallory/loot"}},
        ["spec.output.uri", "buckets"],
    ),
    "a path out of the bucket's prefix": (
        {"dataset": {"train": "s3://team-docs/../other-docs/a.jsonl"}},
        ["spec.dataset.train", "buckets"],
    ),
    "a model of another bucket": (
        {"model": {"source": "s3://other/model"}},
        ["spec.model.source", "buckets"],
    ),
    "the metadata service as endpoint": (
        {"storage": {"endpoint": "http://169.254.169.254/latest"}},
        ["spec.storage.endpoint", "endpoints"],
    ),
    "a service account": (
        {"storage": {"serviceAccountName": "payments-prod"}},
        ["spec.storage.serviceAccountName", "serviceAccounts"],
    ),
    "a Secret of the storage": (
        {"storage": {"credentialsSecretRef": {"name": "payments"}}},
        ["spec.storage.credentialsSecretRef", "secrets"],
    ),
    "a Secret of an experiment tracker": (
        {
            "training": {"reportTo": ["wandb"]},
            "reporting": {"wandbSecretRef": {"name": "other-teams-wandb"}},
        },
        ["spec.reporting.wandbSecretRef", "secrets"],
    ),
    "a volume": (
        {"featureCache": {"persistentVolumeClaim": {"name": "data-postgres-0"}}},
        ["spec.featureCache.persistentVolumeClaim", "persistentVolumeClaims"],
    ),
    "a pull secret": (
        {"pod": {"imagePullSecrets": [{"name": "registry"}, {"name": "other"}]}},
        ["spec.pod.imagePullSecrets: other", "imagePullSecrets"],
    ),
    "a priority class": (
        {"pod": {"priorityClassName": "system-node-critical"}},
        ["spec.pod.priorityClassName", "priorityClasses"],
    ),
    "a runtime class": ({"pod": {"runtimeClassName": "kata"}}, ["spec.pod.runtimeClassName", "(none)"]),
    "a label": (
        {"pod": {"labels": {"example.org/team": "a", "azure.workload.identity/use": "true"}}},
        ["spec.pod.labels: azure.workload.identity/use", "labels"],
    ),
    "an annotation": (
        {"pod": {"annotations": {"vault.hashicorp.com/agent-inject": "true"}}},
        ["spec.pod.annotations: vault.hashicorp.com/agent-inject", "annotations"],
    ),
    "a node": (
        {"pod": {"nodeSelector": {"node-role.kubernetes.io/control-plane": ""}}},
        ["spec.pod.nodeSelector: node-role.kubernetes.io/control-plane", "nodeSelectors"],
    ),
    "every taint": (
        {"pod": {"tolerations": [{"operator": "Exists"}]}},
        ["spec.pod.tolerations: a toleration of every key", "tolerations"],
    ),
    "a device": (
        {"resources": {"gpuResourceName": "devices.kubevirt.io/kvm"}},
        ["spec.resources.gpuResourceName", "gpuResourceNames"],
    ),
    "GPUs": ({"resources": {"gpus": 5}}, ["spec.resources.gpus: 5", "gpus (4)"]),
    "CPUs": ({"resources": {"cpu": "32001m"}}, ["spec.resources.cpu: 32001m", "cpu (32)"]),
    "memory": ({"resources": {"memory": "64Ti"}}, ["spec.resources.memory: 64Ti", "memory (256Gi)"]),
    "scratch": ({"resources": {"scratch": "900Ti"}}, ["spec.resources.scratch: 900Ti", "scratch (1Ti)"]),
}


def parsed(spec: Object) -> FineTuneJob:
    return FineTuneJob.model_validate(a_job(ALLOWED | spec))


def test_a_job_within_all_limits_is_accepted():
    assert find_excesses(parsed({}), LIMITS) == []


def test_without_limits_everything_is_accepted():
    specs = [spec for spec, _ in EXCESSES.values()]

    assert [find_excesses(parsed(spec), Limits()) for spec in specs] == [[]] * len(specs)


@pytest.mark.parametrize(("spec", "words"), EXCESSES.values(), ids=EXCESSES.keys())
def test_an_excess_is_named_with_field_value_and_limit(spec: Object, words: list[str]):
    excesses = find_excesses(parsed(spec), LIMITS)

    assert len(excesses) == 1, excesses
    assert all(word in excesses[0] for word in words)


def test_every_limit_has_a_case():
    names = {str(field.alias) for field in Limits.model_fields.values()}
    text = " ".join(word for spec, _ in EXCESSES.values() for word in find_excesses(parsed(spec), LIMITS))

    assert [name for name in names if f"limit {name} (" not in text] == []


async def test_a_job_that_exceeds_limits_is_invalid_with_each_of_them_and_creates_nothing():
    together: dict[str, Any] = {}
    for spec, _ in EXCESSES.values():
        for name, value in spec.items():
            old = together.get(name)
            together[name] = {**old, **value} if isinstance(old, dict) else value
    cluster, store = MemoryCluster(), Store()
    store.put(cluster.seed(a_job(ALLOWED | together)))
    controller = Controller(cluster, store, OperatorConfig(limits=LIMITS))
    reconciler = Reconciler(cluster, store, OperatorConfig(limits=LIMITS), controller.metrics, lambda: NOW)

    await reconciler.reconcile(JobKey("team", "invoices"))

    status = cluster.of_kind("FineTuneJob")[0]["status"]
    accepted = next(c for c in status["conditions"] if c["type"] == "Accepted")
    assert status["summary"]["state"] == "Invalid"
    assert accepted["message"].count("operator's limit") >= 19
    assert cluster.of_kind("Job") == cluster.of_kind("ConfigMap") == []


def test_a_run_that_exists_when_a_limit_is_introduced_continues():
    job = a_job({"resources": {"gpus": 8}})
    store = Store()
    store.put(job)
    key = JobKey("team", "invoices")
    assert isinstance(observe(store, key, LIMITS), InvalidJob)

    store.put(a_batch_job(run_name(job)))

    assert isinstance(observe(store, key, LIMITS), Observed)
