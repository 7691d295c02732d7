"""A job that asks for more than the platform team allows is Invalid, with each limit by name."""

from collections.abc import Iterator
from typing import Any

import pytest

from finscribe_core.api.crd import build_schema
from finscribe_core.api.v1alpha1 import FineTuneJob, FineTuneJobSpec
from finscribe_operator.config import OperatorConfig
from finscribe_operator.controller import Controller
from finscribe_operator.limits import REFERENCES, Limits, find_excesses
from finscribe_operator.objects import JobKey, Object
from finscribe_operator.observe import InvalidJob, Observed, observe
from finscribe_operator.policies import Policy
from finscribe_operator.reconcile import Reconciler
from finscribe_operator.store import Store
from tests.cases.limits import EXCESSES, LIMITS, WITHIN, with_changes
from tests.unit.operator.builders import NOW, a_batch_job, a_job, run_name
from tests.unit.operator.memory_cluster import MemoryCluster


def parsed(change: Object) -> FineTuneJob:
    return FineTuneJob.model_validate(a_job() | {"spec": with_changes(change)})


@pytest.mark.parametrize("change", WITHIN.values(), ids=WITHIN.keys())
def test_a_job_within_all_limits_is_accepted(change: Object):
    assert find_excesses(parsed(change), LIMITS) == []


@pytest.mark.parametrize("pattern", ["registry?example.org/a", "[r]egistry.example.org/a", "registry"])
def test_only_a_star_stands_for_other_characters(pattern: str):
    job = parsed({"image": "registry.example.org/a", "pod": {}})

    assert len(find_excesses(job, Limits(images=[pattern]))) == 1


def test_without_limits_everything_is_accepted():
    specs = [spec for spec, _ in EXCESSES.values()]

    assert [find_excesses(parsed(spec), Limits()) for spec in specs] == [[]] * len(specs)


@pytest.mark.parametrize(("spec", "words"), EXCESSES.values(), ids=EXCESSES.keys())
def test_an_excess_is_named_with_field_value_and_limit(spec: Object, words: list[str]):
    excesses = find_excesses(parsed(spec), LIMITS)

    assert len({excess.partition(":")[0] for excess in excesses}) == 1, excesses
    assert any(all(word in excess for word in words) for excess in excesses), excesses


def test_every_limit_has_a_case():
    names = {str(field.alias) for field in Limits.model_fields.values()}
    text = " ".join(word for spec, _ in EXCESSES.values() for word in find_excesses(parsed(spec), LIMITS))

    assert [name for name in names if f"limit {name} (" not in text] == []


UNLIMITED = {
    *("lora.targetModules[]", "loss.fieldWeights{}", "retrain.trigger", "retrain.schedule.cron"),
    *("retrain.schedule.timeZone", "retrain.onDataChange.checkEvery", "retrain.onDataChange.minimumInterval"),
    *("model.revision", "storage.region", "storage.caBundle.key"),
    # What a job may refer to by these is limited by other fields of the same items.
    *("pod.env[].value", "pod.env[].valueFrom.secretKeyRef.key", "pod.env[].valueFrom.configMapKeyRef.key"),
    *("pod.volumes[].name", "pod.volumeMounts[].name", "pod.volumeMounts[].mountPath"),
    *("pod.volumeMounts[].subPath", "pod.tolerations[].value", "pod.hostAliases[].hostnames[]"),
    *("pod.dnsConfig.searches[]", "pod.dnsConfig.options[].name", "pod.dnsConfig.options[].value"),
}
"""Texts that no limit is about."""


def find_texts(schema: Object, path: str = "") -> Iterator[str]:
    """Paths of the texts in an object, and of maps with any keys, outside rules of the scheduler."""
    if "items" in schema:
        yield from find_texts(schema["items"], f"{path}[]")
    elif "additionalProperties" in schema:
        yield f"{path}{{}}"
    elif schema.get("type") == "string" and "enum" not in schema and not path.endswith("affinity"):
        yield path
    for name, field in schema.get("properties", {}).items():
        if name not in ("affinity", "topologySpreadConstraints"):
            yield from find_texts(field, f"{path}.{name}" if path else name)


def test_every_text_of_a_spec_is_limited_or_said_not_to_be():
    texts = {path for path in find_texts(build_schema(FineTuneJobSpec)) if "experiments" not in path}

    limited = {reference.path for reference in REFERENCES if "affinity" not in reference.path}
    assert texts == limited | UNLIMITED


async def test_a_job_that_exceeds_limits_is_invalid_with_each_of_them_and_creates_nothing():
    together: dict[str, Any] = {}
    for spec, _ in EXCESSES.values():
        for name, value in spec.items():
            old = together.get(name)
            together[name] = {**old, **value} if isinstance(old, dict) else value
    cluster, store = MemoryCluster(), Store()
    store.put(cluster.seed(a_job() | {"spec": with_changes(together)}))
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
    assert isinstance(observe(store, key, Policy(LIMITS)), InvalidJob)

    store.put(a_batch_job(run_name(job)))

    assert isinstance(observe(store, key, Policy(LIMITS)), Observed)


def test_a_deadline_that_is_raised_beyond_its_limit_is_refused_though_the_run_exists():
    job, store, key = a_job({"activeDeadlineSeconds": 60}), Store(), JobKey("team", "invoices")
    policy = Policy(Limits(active_deadline_seconds=60))
    store.put(job)
    store.put(a_batch_job(run_name(job), spec={"activeDeadlineSeconds": 60}))
    assert isinstance(observe(store, key, policy), Observed)

    job["metadata"]["resourceVersion"] = "2"
    store.put({**job, "spec": {**job["spec"], "activeDeadlineSeconds": 61}})

    assert isinstance(observe(store, key, policy), InvalidJob)
