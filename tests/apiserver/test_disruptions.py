"""Attempts that the cluster ends: preempted, rejected by a node, or on a node that is lost."""

import pytest

from finscribe_core.api.conditions import Reason
from finscribe_core.api.v1alpha1 import RunStatus, State
from finscribe_core.constants import EXIT_RETRY
from finscribe_core.errors import FailureReason
from finscribe_core.report import Phase, Progress, ProgressReport
from tests.apiserver.eventually import eventually
from tests.apiserver.fake_kubelet import serving_progress
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.workspace import Workspace, build_job

pytestmark = pytest.mark.usefixtures("operator")

TRAINING = Progress(phase=Phase.Training, step=42, total_steps=100, percent=42, eta_seconds=1810)


def failed_attempts(workspace: Workspace) -> int:
    run = workspace.status().run
    assert run is not None
    return run.failed_attempts


def test_a_preempted_attempt_is_named_and_does_not_count_as_a_failure(workspace: Workspace):
    workspace.apply(build_job(backoffLimit=0))
    pod = workspace.await_pod()
    workspace.kubelet.report_running(pod)
    workspace.kubelet.report_disrupted(
        pod, EXIT_RETRY, "PreemptionByScheduler", "preempting to accommodate a higher priority pod"
    )

    message = workspace.await_condition("Running", "False", Reason.Retrying)

    assert "does not count as a failure" in message and FailureReason.Preempted in message
    workspace.await_pod(other_than=pod)
    assert failed_attempts(workspace) == 0
    assert workspace.condition("Failed")[0] == "False"


def test_a_run_whose_spot_node_is_reclaimed_continues_without_a_counted_failure(workspace: Workspace):
    workspace.apply(build_job(backoffLimit=0))
    pod = workspace.await_pod()
    workspace.kubelet.report_running(pod)
    workspace.kubelet.shut_down_node(pod, EXIT_RETRY)

    message = workspace.await_condition("Running", "False", Reason.Retrying)

    assert "does not count as a failure" in message and "The pod's node was shut down" in message
    workspace.await_pod(other_than=pod)
    assert failed_attempts(workspace) == 0


def test_attempts_are_counted_though_an_operator_was_away_and_the_first_pod_is_gone(
    workspace: Workspace, operator: OperatorProcess
):
    def await_step_seconds(pod: str, seconds: int) -> RunStatus:
        progress = TRAINING.model_copy(update={"step_seconds": seconds})
        report = ProgressReport(run=pod.rpartition("-")[0], progress=progress)

        def known() -> RunStatus | None:
            run = workspace.status().run
            return run if run and run.goodput.step_seconds == seconds else None

        with serving_progress(workspace.kubelet.report_running(pod), report):
            return eventually(known)

    workspace.apply(build_job())
    first = workspace.await_pod()
    await_step_seconds(first, 10)
    operator.kill()
    workspace.kubelet.report_disrupted(first, EXIT_RETRY, "EvictionByEvictionAPI", "evicted")
    second = workspace.await_pod(other_than=first)
    workspace.kubelet.remove(first)
    operator.start()
    run = await_step_seconds(second, 20)

    assert (run.attempts, run.goodput.newest_pod) == (2, second)
    assert run.goodput.pod_seconds >= run.goodput.earlier_pod_seconds


def test_pods_that_their_node_rejects_fail_the_run_under_their_own_name(workspace: Workspace):
    workspace.apply(build_job(backoffLimit=1))
    first = workspace.await_pod()
    workspace.kubelet.reject(first, "UnexpectedAdmissionError", "Pod was rejected: no healthy devices")

    message = workspace.await_condition("Running", "False", Reason.Retrying)
    assert "1 of at most 2" in message and "Node node1 rejected the pod" in message

    second = workspace.await_pod(other_than=first)
    workspace.kubelet.reject(second, "OutOfcpu", "Pod was rejected: not enough resource: cpu")
    message = workspace.await_condition("Failed", "True", FailureReason.NodeRejected)
    assert "Gave up after 2 failed attempts" in message and "OutOfcpu" in message


def test_a_run_whose_node_is_lost_is_unknown_and_resumes_once_the_node_is_deleted(workspace: Workspace):
    workspace.apply(build_job(backoffLimit=0))
    pod = workspace.await_pod()
    address = workspace.kubelet.report_running(pod)
    with serving_progress(address, ProgressReport(run=workspace.status().run.name, progress=TRAINING)):
        workspace.await_condition("Running", "True", Phase.Training)

    workspace.kubelet.lose_node(pod)
    message = workspace.await_condition("Running", "Unknown", Reason.NodeUnreachable)
    assert "kubectl get node node1" in message
    eventually(lambda: workspace.table()[0][:3] == [State.Unknown, "42%", "-"])
    workspace.assert_table_is_full()

    workspace.core.delete_namespaced_pod(pod, workspace.namespace, grace_period_seconds=0)
    eventually(lambda: not workspace.pods(), what="the pod is being deleted")
    assert "by force is not enough" in workspace.await_condition("Running", "Unknown", Reason.NodeUnreachable)

    workspace.kubelet.fail_orphan(pod)
    workspace.await_pod(other_than=pod)
    assert failed_attempts(workspace) == 0
    workspace.await_condition("Running", "False", Reason.Pending)
