"""Fixtures: one real API server and operator per session, a namespace per test."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from kubernetes import client, config

from tests.apiserver.eventually import eventually
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.workspace import Workspace
from tools.kube.apiserver import ApiServer, running_api_server
from tools.kube.binaries import provide
from tools.kube.catalogue import KUBERNETES_VERSION

ROOT = Path(__file__).parents[2]
RELEASE = "finscribe"
SYSTEM_NAMESPACE = "finscribe-system"
RBAC_KINDS = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.apiserver)


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[ApiServer]:
    crds = sorted((ROOT / "crds").glob("*.yaml"))
    with running_api_server(crds, keep_logs=lambda: request.session.testsfailed > 0) as running:
        yield running


@pytest.fixture(scope="session")
def api(server: ApiServer) -> Iterator[client.ApiClient]:
    with config.new_client_from_config(str(server.kubeconfig)) as connected:
        yield connected


@pytest.fixture(scope="session")
def operator_kubeconfig(server: ApiServer) -> Path:
    return install_account(server)


def install_account(server: ApiServer, *values: str, namespace: str = SYSTEM_NAMESPACE) -> Path:
    """Kubeconfig of a service account with the RBAC rules of the chart, rendered with some values, only."""
    helm = provide(["helm"])["helm"]
    command = ["template", RELEASE, str(ROOT / "charts/finscribe"), f"--namespace={namespace}"]
    command += [f"--kube-version={KUBERNETES_VERSION}", *(f"--set={value}" for value in values)]
    rendered = subprocess.run([str(helm), *command], capture_output=True, text=True, check=True).stdout
    rbac = [d for d in yaml.safe_load_all(rendered) if d and d["kind"] in RBAC_KINDS]
    server.kubectl("apply", "--filename=-", stdin=json.dumps(_namespace(namespace)))
    server.kubectl("apply", "--filename=-", stdin=yaml.safe_dump_all(rbac))
    account = next(d["metadata"]["name"] for d in rbac if d["kind"] == "ServiceAccount")
    return server.kubeconfig_of_service_account(namespace, account)


def _namespace(name: str) -> dict:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


@pytest.fixture(scope="session")
def operator(server: ApiServer, operator_kubeconfig: Path) -> Iterator[OperatorProcess]:
    """One operator for all tests; a test that kills it starts it again."""
    process = OperatorProcess(server.folder, operator_kubeconfig)
    process.start()
    yield process
    process.stop()


@pytest.fixture
def workspace(server: ApiServer, api: client.ApiClient) -> Iterator[Workspace]:
    with open_workspace(server, api) as opened:
        yield opened


@contextmanager
def open_workspace(server: ApiServer, api: client.ApiClient, name: str = "") -> Iterator[Workspace]:
    """A new namespace, which is deleted afterwards."""
    core = client.CoreV1Api(api)
    metadata = {"name": name} if name else {"generateName": "test-"}
    namespace = core.create_namespace({"metadata": metadata}).metadata.name
    eventually(
        lambda: core.list_namespaced_service_account(namespace).items, what="the default service account"
    )
    yield Workspace(server, namespace, api)
    core.delete_namespace(namespace)
