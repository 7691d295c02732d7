"""Nodes that are lost, tainted or full, with the real scheduler and the real controllers of nodes."""

from collections.abc import Iterator

import pytest

from finscribe_core.api.conditions import Reason
from finscribe_core.constants import EXIT_RETRY
from finscribe_core.report import Phase, Progress, ProgressReport, RunResult
from tests.apiserver.eventually import eventually
from tests.apiserver.fake_kubelet import serving_progress
from tests.apiserver.fake_node import FakeNode, fake_node
from tests.apiserver.installation import CRDS, install_account
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.workspace import Workspace, build_job
from tools.kube.apiserver import ApiServer, running_api_server

TRAINING = Progress(phase=Phase.Training, step=42, total_steps=100, percent=42)


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[ApiServer]:
    """An API server of this file: its controllers remove pods from nodes that do not exist."""
    with running_api_server(
        CRDS, keep_logs=lambda: request.session.testsfailed > 0, with_nodes=True
    ) as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def operator(server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    process = OperatorProcess(tmp_path_factory.mktemp("operator"), install_account(server))
    process.start()
    yield
    process.stop()


@pytest.fixture
def node(workspace: Workspace) -> Iterator[FakeNode]:
    with fake_node(workspace.core, f"{workspace.namespace}-a") as running:
        yield running


def await_bound(workspace: Workspace, name: str = "invoices", other_than: str = "") -> str:
    """Wait until the scheduler has bound a pod of the job to a node; returns the pod's name."""
    pod = workspace.await_pod(name, other_than)
    eventually(lambda: workspace.core.read_namespaced_pod(pod, workspace.namespace).spec.node_name)
    return pod


def failed_attempts(workspace: Workspace, name: str = "invoices") -> int:
    run = workspace.status(name).run
    assert run is not None
    return run.failed_attempts


def test_a_run_on_a_node_that_is_silent_is_unknown_until_the_node_is_back_or_given_up(
    workspace: Workspace, node: FakeNode
):
    workspace.apply(build_job(backoffLimit=0))
    pod = await_bound(workspace)
    run = workspace.batch_jobs()[0].metadata.name
    with serving_progress(workspace.kubelet.report_running(pod), ProgressReport(run=run, progress=TRAINING)):
        workspace.await_condition("Running", "True", Phase.Training)

        node.silence()
        message = workspace.await_condition("Running", "Unknown", Reason.NodeUnreachable)
        assert f"kubectl get node {node.name}" in message
        node.return_()
        eventually(lambda: is_ready(workspace, node))
        workspace.kubelet.report_ready(pod)
        workspace.await_condition("Running", "True", Phase.Training)

    node.silence()
    workspace.await_condition("Running", "Unknown", Reason.NodeUnreachable)
    with fake_node(workspace.core, f"{workspace.namespace}-b"):
        node.taint("node.kubernetes.io/out-of-service", "nodeshutdown")
        second = await_bound(workspace, other_than=pod)
        workspace.await_condition("Running", "False")
        assert failed_attempts(workspace) == 0
        workspace.kubelet.report_running(second)
        workspace.kubelet.report_succeeded(second, RunResult(succeeded=True))
        workspace.await_condition("Complete", "True")


def test_a_run_on_a_node_that_gets_a_taint_continues_on_another(workspace: Workspace, node: FakeNode):
    workspace.apply(build_job(backoffLimit=0))
    pod = await_bound(workspace)
    workspace.kubelet.report_running(pod)
    workspace.await_condition("Running", "True")

    node.taint("maintenance")
    message = workspace.await_condition("Running", "True", Reason.Stopping)
    assert "does not tolerate a taint" in message
    workspace.kubelet.report_stopped(pod, EXIT_RETRY)
    message = workspace.await_condition("Running", "False", Reason.Retrying)
    assert "does not count as a failure" in message
    workspace.kubelet.remove(pod)
    workspace.await_condition("Running", "False", Reason.Unschedulable)
    node.untaint("maintenance")
    await_bound(workspace, other_than=pod)
    assert failed_attempts(workspace) == 0


def test_a_run_gives_its_gpu_to_one_of_higher_priority_and_takes_it_again(
    workspace: Workspace, node: FakeNode
):
    workspace.server.kubectl("create", "priorityclass", "urgent", "--value=1000")
    workspace.apply(build_job(backoffLimit=0))
    pod = await_bound(workspace)
    workspace.kubelet.report_running(pod)
    workspace.await_condition("Running", "True")

    workspace.apply(build_job("urgent", pod={"priorityClassName": "urgent"}))
    message = workspace.await_condition("Running", "True", Reason.Stopping)
    assert "Preempted" in message
    workspace.kubelet.report_stopped(pod, EXIT_RETRY)
    workspace.kubelet.remove(pod)

    urgent = await_bound(workspace, "urgent")
    message = workspace.await_condition("Running", "False", Reason.Unschedulable)
    assert "Insufficient nvidia.com/gpu" in message
    workspace.kubelet.report_running(urgent)
    workspace.kubelet.report_succeeded(urgent, RunResult(succeeded=True))
    workspace.await_condition("Complete", "True", name="urgent")
    await_bound(workspace, other_than=pod)
    assert failed_attempts(workspace) == 0


def is_ready(workspace: Workspace, node: FakeNode) -> bool:
    conditions = workspace.core.read_node(node.name).status.conditions
    return any(c.type == "Ready" and c.status == "True" for c in conditions)
