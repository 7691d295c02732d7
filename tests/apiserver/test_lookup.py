"""A pod without GPU looks in the bucket for the result of a run that was lost, or is current again."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from finscribe_core.api.conditions import Reason
from finscribe_core.constants import EXIT_USER_ERROR
from finscribe_core.errors import FailureReason
from finscribe_core.report import Outputs, RunResult
from tests.apiserver.eventually import eventually
from tests.apiserver.impatient import SECONDS
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.workspace import Workspace, build_job

RESULT = RunResult(succeeded=True, outputs=Outputs(uri="s3://team-models/invoices/runs/x"))


@pytest.fixture
def lost(
    workspace: Workspace, operator: OperatorProcess, operator_kubeconfig: Path, tmp_path: Path
) -> Iterator[Workspace]:
    """A job that is old and has no status, and an operator that notices it."""
    operator.stop()
    workspace.apply(build_job())
    created = datetime.fromisoformat(workspace.job()["metadata"]["creationTimestamp"])
    eventually(lambda: (datetime.now(UTC) - created).total_seconds() > SECONDS + 1)
    impatient = OperatorProcess(tmp_path, operator_kubeconfig, module="tests.apiserver.impatient")
    impatient.start()
    yield workspace
    impatient.stop()
    operator.start()


def test_a_job_that_lost_its_status_is_complete_again_without_a_gpu(lost: Workspace):
    pod = lost.await_pod()
    lost.await_condition("Running", "False", Reason.LookingForResult)
    (container,) = lost.core.read_namespaced_pod(pod, lost.namespace).spec.containers
    assert "nvidia.com/gpu" not in container.resources.requests
    lost.kubelet.report_running(pod)
    lost.kubelet.report_succeeded(pod, RESULT)

    assert "nothing was trained" in lost.await_condition("Complete", "True")
    status = lost.status()
    assert status.run is not None and status.run.outputs == RESULT.outputs
    eventually(lambda: not lost.batch_jobs())


def test_a_job_without_a_result_in_the_bucket_is_trained(lost: Workspace):
    pod = lost.await_pod()
    lost.kubelet.report_running(pod)
    missing = RunResult(succeeded=False, reason=FailureReason.ResultNotFound, message="no result")
    lost.kubelet.report_failed(pod, EXIT_USER_ERROR, missing.to_termination_message())

    trainer = lost.await_pod(other_than=pod)
    (container,) = lost.core.read_namespaced_pod(trainer, lost.namespace).spec.containers
    assert container.resources.requests["nvidia.com/gpu"] == "1"
    eventually(lambda: [job.metadata.name for job in lost.batch_jobs()] == [lost.status().run.name])


@pytest.mark.usefixtures("operator")
def test_going_back_to_an_earlier_spec_promotes_its_run_without_a_gpu(workspace: Workspace):
    workspace.apply(build_job())
    first = workspace.await_pod()
    workspace.kubelet.report_succeeded(first, RESULT)
    workspace.await_condition("Promoted", "True")
    run = workspace.status().run.name
    workspace.change({"spec": {"lora": {"r": 8}}})
    second = workspace.await_pod(other_than=first)
    workspace.kubelet.report_succeeded(second, RESULT)
    eventually(lambda: workspace.status().run.name != run)
    workspace.await_condition("Promoted", "True")

    workspace.change({"spec": {"lora": {"r": 16}}})

    workspace.await_condition("Promoted", "False", Reason.Promoting)
    pod = workspace.await_pod(other_than=second)
    assert workspace.status().run.name == run and workspace.table()[0][0] == "Complete"
    workspace.kubelet.report_succeeded(pod, RESULT)
    workspace.await_condition("Promoted", "True")
    eventually(lambda: len(workspace.batch_jobs()) == 2)  # those of the two runs
