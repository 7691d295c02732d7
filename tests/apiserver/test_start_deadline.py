"""A run whose pod is on a node and does not start is ended by Kubernetes, and the node's GPU is free."""

import pytest

from finscribe_core.errors import FailureReason
from finscribe_core.report import RunResult
from tests.apiserver.eventually import eventually
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.workspace import Workspace, build_job

pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture
def pod(workspace: Workspace) -> str:
    """The pod of a job, on a node that can't start it."""
    workspace.apply(build_job(startDeadlineSeconds=2, backoffLimit=3))
    name = workspace.await_pod()
    workspace.kubelet.report_waiting(name, "ImagePullBackOff", 'Back-off pulling image "trainer:2"')
    return name


def await_end(workspace: Workspace, pod: str) -> str:
    """Confirm the end of the pod, as a kubelet does; the message of the job's failure."""
    eventually(lambda: not workspace.pods(), what="the pod is being deleted")
    workspace.kubelet.remove(pod)
    return workspace.await_condition("Failed", "True", FailureReason.StartDeadlineExceeded)


def test_a_pod_that_can_not_start_is_removed_and_a_retry_starts_the_run_again(workspace: Workspace, pod: str):
    message = await_end(workspace, pod)

    assert f"Pod {pod} has not started within 2 s on node node1" in message
    assert 'Back-off pulling image "trainer:2"' in message and "finscribe.io/retry" in message
    assert workspace.core.list_namespaced_pod(workspace.namespace).items == []
    run = workspace.batch_jobs()[0].metadata.name

    workspace.kubectl("annotate", "finetunejob", "invoices", "finscribe.io/retry=1")
    workspace.kubelet.report_running(workspace.await_pod(other_than=pod))
    workspace.await_condition("Failed", "False")
    workspace.kubelet.report_succeeded(workspace.await_pod(), RunResult(succeeded=True))
    workspace.await_condition("Complete", "True")
    assert [job.metadata.name for job in workspace.batch_jobs()] == [run]


def test_a_deadline_that_passes_while_no_operator_runs_counts(
    workspace: Workspace, operator: OperatorProcess, pod: str
):
    operator.kill()
    operator.start()
    await_end(workspace, pod)


def test_a_corrected_spec_continues_a_run_that_has_just_been_given_up(workspace: Workspace, pod: str):
    eventually(lambda: not workspace.pods(), what="the pod is being deleted")
    workspace.change({"spec": {"image": "trainer:1"}})
    workspace.kubelet.remove(pod)

    workspace.kubelet.report_running(workspace.await_pod(other_than=pod))
    workspace.await_condition("Running", "True")
    assert len(workspace.batch_jobs()) == 1


def test_a_pod_that_no_node_fits_holds_nothing_and_may_wait(workspace: Workspace):
    workspace.apply(build_job(startDeadlineSeconds=1))
    pod = workspace.await_pod()
    workspace.kubelet.report_unschedulable(pod, "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.")
    workspace.await_condition("Running", "False", "Unschedulable")
    workspace.apply(build_job("another", startDeadlineSeconds=1))
    late = workspace.await_pod("another")
    workspace.kubelet.report_waiting(late)
    eventually(lambda: not workspace.pods("another"), what="the later pod is ended")
    assert workspace.await_pod() == pod
