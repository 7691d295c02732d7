"""Fixtures: one real API server and operator per session, a namespace per test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client, config

from tests.apiserver.installation import CRDS, install_account
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.requests import POLICY, read_forbidden
from tests.apiserver.workspace import Workspace, open_workspace
from tools.kube.apiserver import ApiServer, running_api_server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents and not item.get_closest_marker("kueue"):
            item.add_marker(pytest.mark.apiserver)


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[ApiServer]:
    with running_api_server(CRDS, lambda: request.session.testsfailed > 0, POLICY) as running:
        yield running
        assert read_forbidden(running.audit_log) == [], "requests that the operator has no right to"


@pytest.fixture(scope="module")
def api(server: ApiServer) -> Iterator[client.ApiClient]:
    """A connection of the administrator; a file may have an API server of its own."""
    with config.new_client_from_config(str(server.kubeconfig)) as connected:
        yield connected


@pytest.fixture(scope="session")
def operator_kubeconfig(server: ApiServer) -> Path:
    return install_account(server)


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
