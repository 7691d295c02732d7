"""What interrupts the operator in a burst of jobs leaves one run for each of them."""

import json
import os
import signal
import threading
import time

import pytest

from finscribe_core.report import RunResult
from tests.apiserver.eventually import eventually
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.workspace import Workspace, build_job

BURST = 60


def test_an_operator_that_is_stopped_in_a_burst_leaves_one_run_for_each_job(
    workspace: Workspace, operator: OperatorProcess
):
    names = [f"job-{number}" for number in range(BURST)]
    creation = start_creation(workspace, names)
    eventually(lambda: len(workspace.jobs()) > 5)
    code = operator.kill(signal.SIGTERM)
    creation.join()
    operator.start()

    assert code == 0
    assert_one_run_each(workspace, names)


def test_an_operator_that_was_frozen_in_a_burst_goes_on(workspace: Workspace, operator: OperatorProcess):
    names = [f"job-{number}" for number in range(BURST)]
    creation = start_creation(workspace, names)
    eventually(lambda: len(workspace.jobs()) > 5)
    os.kill(operator.pid, signal.SIGSTOP)
    creation.join()
    time.sleep(5)
    os.kill(operator.pid, signal.SIGCONT)

    assert_one_run_each(workspace, names)


@pytest.mark.usefixtures("operator")
def test_a_job_that_is_deleted_and_applied_many_times_has_one_run(workspace: Workspace):
    for _ in range(10):
        workspace.apply(build_job())
        workspace.delete()
    workspace.apply(build_job())
    uid = workspace.job()["metadata"]["uid"]

    def owners() -> list[str]:
        return [job.metadata.owner_references[0].uid for job in workspace.batch_jobs()]

    eventually(lambda: owners() == [uid])
    workspace.kubelet.report_succeeded(workspace.await_pod(), RunResult(succeeded=True))
    workspace.await_condition("Complete", "True")
    assert owners() == [uid]


def start_creation(workspace: Workspace, names: list[str]) -> threading.Thread:
    """Create suspended jobs in the background."""
    items = [build_job(name, suspend=True) for name in names]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    creation = threading.Thread(
        target=workspace.kubectl, args=("create", "--filename=-"), kwargs={"stdin": text}
    )
    creation.start()
    return creation


def assert_one_run_each(workspace: Workspace, names: list[str]) -> None:
    eventually(lambda: {row[0] for row in workspace.table()} == {"Suspended"}, within=60)

    def owners() -> list[str]:
        jobs = workspace.batch.list_namespaced_job(workspace.namespace).items
        return sorted(job.metadata.owner_references[0].name for job in jobs)

    eventually(lambda: set(owners()) == set(names))
    assert owners() == sorted(names)
