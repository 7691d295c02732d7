"""An operator of another version, with other defaults, takes over finished and running jobs."""

from pathlib import Path

import pytest

from finscribe_core.report import RunResult
from finscribe_operator.completed_specs import read_defaults
from tests.apiserver.eventually import eventually
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.workspace import Workspace, build_job
from tests.support.other_defaults import other_defaults
from tools.kube.apiserver import ApiServer

FINISHED, RUNNING = 10, 4


@pytest.fixture
def upgraded(server: ApiServer, operator_kubeconfig: Path, tmp_path: Path) -> OperatorProcess:
    """An operator whose every default differs; not started."""
    return OperatorProcess(tmp_path, operator_kubeconfig, module="tests.support.other_defaults")


def test_an_operator_with_other_defaults_starts_nothing(
    workspace: Workspace, operator: OperatorProcess, upgraded: OperatorProcess
):
    names = [f"job-{number}" for number in range(FINISHED + RUNNING)]
    for name in names:
        workspace.apply(build_job(name))
    for name in names:
        workspace.kubelet.report_running(workspace.await_pod(name))
    for name in names[:FINISHED]:
        workspace.kubelet.report_succeeded(workspace.await_pod(name), RunResult(succeeded=True))
    for name in names[:FINISHED]:
        workspace.await_condition("Complete", "True", name=name)
    children = _children(workspace)

    operator.stop()
    try:
        upgraded.start()
        workspace.apply(build_job("new"))
        eventually(lambda: workspace.batch_jobs("new"), what="a Job of a new FineTuneJob, last in the queue")
        eventually(lambda: upgraded.metric("finscribe_operator_queue_depth") == 0)
        new = eventually(lambda: workspace.status("new").run)

        assert {name: c for name, c in _children(workspace).items() if "new" not in name} == children
        states = [row[0] for row in workspace.table()]
        assert (states.count("Complete"), states.count("Running")) == (FINISHED, RUNNING)
        assert read_defaults(new.defaults_json)["lora"]["r"] == other_defaults()["lora"]["r"] != 16
    finally:
        upgraded.stop()
        operator.start()


def _children(workspace: Workspace) -> dict[str, str]:
    """Name and uid of every Job and pod."""
    jobs = workspace.batch.list_namespaced_job(workspace.namespace).items
    pods = workspace.core.list_namespaced_pod(workspace.namespace).items
    return {child.metadata.name: child.metadata.uid for child in (*jobs, *pods)}
