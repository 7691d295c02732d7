"""Which limits and defaults a namespace has, when they are read, and what happens if they can't be."""

from typing import Any

import pytest

from finscribe_core.constants import ANNOTATION_RETRY
from finscribe_core.errors import UserError
from finscribe_core.yaml_files import read_documents
from finscribe_operator.cluster import Cluster, ForbiddenError
from finscribe_operator.config import OperatorConfig, read_config
from finscribe_operator.metrics import Metrics
from finscribe_operator.objects import JobKey, Object, Ref
from finscribe_operator.policies import KEPT_SECONDS, Policies, find_policy
from finscribe_operator.reconcile import Reconciler
from finscribe_operator.store import Store
from tests.unit.operator.builders import NOW, a_job, ended
from tests.unit.operator.memory_cluster import MemoryCluster

CONFIG = OperatorConfig.model_validate(
    {
        "limits": {"gpus": 4, "images": ["a/*"]},
        "defaults": {
            "image": "a/trainer",
            "pod": {"labels": {"cost": "shared", "by": "platform"}, "tolerations": [{"operator": "Exists"}]},
            "storage": {"serviceAccountName": "trainer"},
        },
        "policies": [
            {"namespaceSelector": {"team": "a"}, "limits": {"gpus": 8}},
            {
                "namespaceSelector": {"team": "a", "stage": "test"},
                "limits": {"gpus": 1},
                "defaults": {
                    "pod": {"labels": {"cost": "a"}},
                    "storage": {"credentialsSecretRef": {"name": "s3"}},
                },
            },
        ],
    }
)


@pytest.mark.parametrize(
    ("labels", "gpus", "cost"),
    [
        ({}, 4, "shared"),
        ({"stage": "test"}, 4, "shared"),
        ({"team": "a"}, 8, "shared"),
        ({"team": "a", "stage": "test", "x": "y"}, 1, "a"),
    ],
)
def test_the_last_policy_that_selects_a_namespace_wins(labels: dict[str, str], gpus: int, cost: str):
    policy = find_policy(CONFIG, labels)

    assert policy.limits.gpus == gpus
    assert policy.limits.images == ["a/*"]
    assert policy.defaults["pod"]["labels"] == {"cost": cost, "by": "platform"}
    assert policy.defaults["pod"]["tolerations"] == [{"operator": "Exists"}]


class CountingCluster(MemoryCluster):
    """Counts reads of namespaces, and may refuse them."""

    reads = 0
    forbidden = False

    async def get(self, ref: Ref) -> Object:
        if ref.kind == "Namespace":
            self.reads += 1
            if self.forbidden:
                raise ForbiddenError("namespaces is forbidden")
            return {"metadata": {"name": ref.name, "labels": {"team": "a"}}}
        return await super().get(ref)


async def test_a_namespace_is_read_once_a_minute():
    cluster, now = CountingCluster(), [1000.0]
    policies = Policies(cluster, CONFIG, lambda: now[0])

    for _ in range(5):
        await policies.refresh("team")
    assert (cluster.reads, policies.of("team").limits.gpus) == (1, 8)
    now[0] += KEPT_SECONDS
    await policies.refresh("team")

    assert cluster.reads == 2


async def test_without_policies_no_namespace_is_read():
    cluster = CountingCluster()
    policies = Policies(cluster, CONFIG.model_copy(update={"policies": []}))

    await policies.refresh("team")

    assert (cluster.reads, policies.of("team").limits.gpus) == (0, 4)


def reconciler(cluster: Cluster, store: Store) -> Reconciler:
    return Reconciler(cluster, store, CONFIG, Metrics(store), lambda: NOW)


async def test_a_job_of_a_namespace_that_cant_be_read_waits_and_says_why():
    cluster, store = CountingCluster(), Store()
    cluster.forbidden = True
    store.put(cluster.seed(a_job()))
    key = JobKey("team", "invoices")
    reconcile = reconciler(cluster, store).reconcile

    with pytest.raises(Exception, match="labels of namespace team"):
        await reconcile(key)

    status = cluster.of_kind("FineTuneJob")[0]["status"]
    running = next(c for c in status["conditions"] if c["type"] == "Running")
    assert (running["reason"], status.get("run")) == ("PolicyUnknown", None)
    assert "namespaces is forbidden" in running["message"]
    assert cluster.of_kind("Job") == []

    cluster.forbidden = False
    await reconcile(key)

    assert cluster.of_kind("Job") != []


async def test_a_run_continues_while_the_namespace_cant_be_read():
    cluster, store = CountingCluster(), Store()
    store.put(cluster.seed(a_job()))
    key = JobKey("team", "invoices")
    await reconciler(cluster, store).reconcile(key)
    before = cluster.of_kind("Job")

    cluster.forbidden = True
    await reconciler(cluster, store).reconcile(key)

    assert cluster.of_kind("Job") == before != []


@pytest.mark.parametrize("field", ["image", "activeDeadlineSeconds"])
async def test_a_retry_takes_the_defaults_of_today_and_keeps_them(field: str):
    cluster, key = MemoryCluster(), JobKey("team", "invoices")
    cluster.seed(a_job())

    async def reconcile(number: int) -> None:
        """A new operator with another default reconciles the job until nothing changes."""
        value = f"trainer:{number}" if field == "image" else number
        store, config = Store(), OperatorConfig.model_validate({"defaults": {field: value}})
        for obj in (*cluster.of_kind("Job"), *cluster.of_kind("FineTuneJob")):
            store.put(obj)
        for _ in range(4):
            await Reconciler(cluster, store, config, Metrics(store), lambda: NOW).reconcile(key)
            for run in store.jobs(key):
                if cluster.objects.get(("Job", "team", run["metadata"]["name"])) is None:
                    store.remove(run)

    def used() -> str:
        spec = cluster.of_kind("Job")[0]["spec"]
        return str(spec.get(field, spec["template"]["spec"]["containers"][0]["image"]))[-1]

    await reconcile(1)
    (run,) = cluster.of_kind("Job")
    cluster.seed({**run, "status": ended("Failed", "BackoffLimitExceeded", failed=4)})
    await reconcile(2)
    assert used() == "1"

    live = cluster.objects["FineTuneJob", "team", "invoices"]
    cluster.seed({**live, "metadata": {**live["metadata"], "annotations": {ANNOTATION_RETRY: "1"}}})
    await reconcile(2)
    assert used() == "2"

    before = list(cluster.created)
    await reconcile(3)
    assert (used(), cluster.created) == ("2", before)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("defaults:\n  pod:\n    nodeSelectors: {a: b}", "3: unknown key defaults.pod.nodeSelectors"),
        ("defaults:\n  training: {seed: 1}", "2: unknown key defaults.training"),
        ("defaults:\n  resources:\n    gpus: 1", "3: unknown key defaults.resources.gpus"),
        ("defaults:\n  resources:\n    cpu: lots", "3: defaults.resources.cpu"),
        ("policies:\n  - limits: {gpus: 1}", "2: policies[0].namespace_selector is required"),
        ("policies:\n  - namespaceSelector: {}", "namespaceSelector"),
    ],
)
def test_a_mistake_in_the_configuration_is_named_with_its_line(tmp_path: Any, text: str, problem: str):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    assert read_documents(path)

    with pytest.raises(UserError) as error:
        read_config(path)

    assert f"{path}:" in str(error.value)
    assert problem in str(error.value)
