"""A trainer that fails transiently is started again in its pod, as the API server knows the rules for it."""

from finscribe_core.constants import EXIT_RETRY
from finscribe_core.errors import FailureReason
from finscribe_core.report import Phase, Progress, ProgressReport, RunResult
from tests.apiserver.eventually import eventually
from tests.apiserver.fake_kubelet import serving_progress
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.workspace import Workspace, build_job

UNAVAILABLE = RunResult(
    succeeded=False, reason=FailureReason.StorageUnavailable, message="S3 does not answer."
).to_termination_message()


def counted(workspace: Workspace) -> tuple[int, int, int]:
    run = workspace.status().run
    assert run is not None
    return run.attempts, run.restarts, run.failed_attempts


def names(workspace: Workspace) -> list[str]:
    return [pod.metadata.name for pod in workspace.pods()]


def test_restarts_in_the_pod_count_with_failed_pods_until_the_limit(
    workspace: Workspace, operator: OperatorProcess
):
    workspace.apply(build_job(backoffLimit=2))
    pod = workspace.await_pod()
    (job,) = workspace.batch_jobs()
    template = job.spec.template.spec
    (rule,) = template.containers[0].restart_policy_rules
    assert job.spec.pod_failure_policy is not None
    assert (template.restart_policy, template.containers[0].restart_policy) == ("Never", "Never")
    assert (rule.action, rule.exit_codes.operator, rule.exit_codes.values) == ("Restart", "In", [EXIT_RETRY])

    address = workspace.kubelet.report_running(pod)
    report = ProgressReport(
        run=job.metadata.name, progress=Progress(phase=Phase.Training, step=5, total_steps=9)
    )
    with serving_progress(address, report):
        workspace.await_condition("Running", "True", "Training")
    workspace.kubelet.report_restarted(pod, 1, EXIT_RETRY, UNAVAILABLE)
    message = workspace.await_condition("Running", "False", "Retrying")
    assert "Attempt failed (1 of at most 3)" in message and "S3 does not answer." in message
    with serving_progress(address, report.model_copy(update={"progress": Progress(phase=Phase.Preparing)})):
        workspace.await_condition("Running", "True", "Preparing")
    assert counted(workspace) == (2, 1, 1)

    workspace.kubelet.report_failed(pod, 137, reason="OOMKilled")
    second = workspace.await_pod(other_than=pod)
    eventually(lambda: counted(workspace) == (3, 1, 2))
    operator.kill()
    workspace.kubelet.report_running(second)
    workspace.kubelet.report_back_off(second, 0, EXIT_RETRY, UNAVAILABLE)
    operator.start()
    eventually(lambda: second not in names(workspace), what="the pod is being deleted")
    workspace.kubelet.remove(second)
    message = workspace.await_condition("Failed", "True", FailureReason.StorageUnavailable)
    assert "Gave up after 3 failed attempts; the last one: S3 does not answer." in message
    assert counted(workspace) == (3, 1, 3)
    assert "Retrying" in workspace.kubectl("get", "events")
