"""Defaults and limits by namespace, with an operator that may read only the namespaces that it watches."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from finscribe_core.api.conditions import Reason
from finscribe_core.report import RunResult
from tests.apiserver.installation import CRDS, install_account
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.workspace import Workspace, build_job, open_workspace
from tools.kube.apiserver import ApiServer, running_api_server

SETTINGS: dict[str, Any] = {
    "limits": {"gpusPerNamespace": 2},
    "defaults": {"pod": {"labels": {"cost": "shared"}, "nodeSelector": {"pool": "any"}}},
    "policies": [
        {
            "namespaceSelector": {"tier": "small"},
            "limits": {"gpus": 1},
            "defaults": {"pod": {"labels": {"cost": "small"}}, "activeDeadlineSeconds": 3600},
        }
    ],
}
SYSTEM = "finscribe-policies"


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[ApiServer]:
    """An API server of this file: no operator with other settings may serve its namespaces."""
    with running_api_server(CRDS, keep_logs=lambda: request.session.testsfailed > 0) as running:
        yield running


@pytest.fixture
def namespaces(server: ApiServer, api: client.ApiClient) -> Iterator[tuple[Workspace, Workspace]]:
    """Two namespaces. A policy selects the first one."""
    with open_workspace(server, api) as small, open_workspace(server, api) as other:
        small.core.patch_namespace(small.namespace, {"metadata": {"labels": {"tier": "small"}}})
        yield small, other


@pytest.fixture
def start(
    server: ApiServer, namespaces: tuple[Workspace, Workspace], tmp_path: Path
) -> Callable[..., AbstractContextManager[None]]:
    """Runs an operator for the two namespaces, with some settings replaced."""
    names = [workspace.namespace for workspace in namespaces]
    values = ["rbac.aggregate=false", "operator.config.policies[0].namespaceSelector.tier=small"]
    values += [f"operator.config.namespaces[{i}]={name}" for i, name in enumerate(names)]
    account = install_account(server, *values, namespace=SYSTEM)

    @contextmanager
    def run(**settings: Any) -> Iterator[None]:
        process = OperatorProcess(tmp_path, account, {**SETTINGS, **settings, "namespaces": names})
        process.start()
        try:
            yield
        finally:
            process.stop()

    return run


def test_a_namespaces_policy_completes_and_limits_its_jobs(namespaces, start):
    small, _ = namespaces
    with start():
        for workspace in namespaces:
            workspace.apply(build_job())
            workspace.await_pod()
        small.apply(build_job("large", resources={"gpus": 2}))
        message = small.await_condition("Accepted", "False", Reason.InvalidSpec, "large")

    pods = [workspace.batch_jobs()[0].spec.template for workspace in namespaces]
    assert [pod.metadata.labels["cost"] for pod in pods] == ["small", "shared"]
    assert [pod.spec.node_selector for pod in pods] == [{"pool": "any"}] * 2
    assert [w.batch_jobs()[0].spec.active_deadline_seconds for w in namespaces] == [3600, None]
    assert "spec.resources.gpus: 2 is more than the operator's limit gpus (1)" in message
    assert small.job()["spec"] == build_job()["spec"]


def test_changed_defaults_replace_no_pod_and_apply_to_the_next_attempt(namespaces, start):
    _, other = namespaces
    with start():
        other.apply(build_job())
        pod = other.await_pod()
        run = other.batch_jobs()[0]
        other.await_condition("Running", "False")  # what the run was started with is recorded

    with start(defaults={"pod": {"labels": {"cost": "new"}}}):
        other.apply(build_job("second"))
        other.await_pod("second")
        (same,) = other.batch_jobs()
        assert (same.metadata.uid, other.await_pod()) == (run.metadata.uid, pod)
        assert other.batch_jobs("second")[0].spec.template.metadata.labels["cost"] == "new"

        other.change({"spec": {"resources": {"memory": "8Gi"}}})
        other.await_pod(other_than=pod)
        (continued,) = other.batch_jobs()

    assert continued.metadata.name == run.metadata.name
    assert continued.spec.template.metadata.labels["cost"] == "new"


def test_a_run_waits_until_others_of_the_namespace_release_their_gpus(namespaces, start):
    _, other = namespaces
    with start():
        other.apply(build_job("first", resources={"gpus": 2}))
        pod = other.await_pod("first")
        other.apply(build_job("second", resources={"gpus": 1}))
        message = other.await_condition("Running", "False", Reason.GpuLimitReached, "second")
        assert "2 are held by first (2)" in message
        assert other.batch_jobs("second") == []

    with start():  # a new operator knows who holds them
        other.await_condition("Running", "False", Reason.GpuLimitReached, "second")
        assert other.batch_jobs("second") == []
        other.kubelet.report_succeeded(pod, RunResult(succeeded=True))
        other.await_pod("second")


def test_no_run_starts_while_the_namespace_cant_be_read(server, namespaces, start):
    small, _ = namespaces
    role = f"--namespace={small.namespace}", "role", "finscribe-operator"
    rules = json.loads(server.kubectl("get", *role, "--output=json"))["rules"]

    def grant(*, namespaces: bool) -> None:
        kept = [rule for rule in rules if namespaces or rule["resources"] != ["namespaces"]]
        server.kubectl("patch", *role, "--type=merge", f"--patch={json.dumps({'rules': kept})}")

    grant(namespaces=False)
    with start():
        small.apply(build_job())
        message = small.await_condition("Running", "False", Reason.PolicyUnknown)
        assert small.namespace in message and "forbidden" in message
        assert small.batch_jobs() == []

        grant(namespaces=True)
        small.await_pod()
