"""What other programs and people do to a job's children, its status and its Events is put right, or said."""

import pytest
from kubernetes import client

from finscribe_core.api.conditions import Reason
from finscribe_core.api.v1alpha1 import State
from finscribe_core.constants import (
    EXIT_RETRY,
    GROUP,
    LABEL_JOB,
    LABEL_QUEUE,
    LABEL_QUEUE_PRIORITY,
    PLURAL,
    VERSION,
)
from finscribe_core.report import Outputs, RunResult
from tests.apiserver.eventually import eventually
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.workspace import Workspace, build_job
from tools.kube.apiserver import ApiServer

pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture
def run(workspace: Workspace) -> str:
    """The name of the run of a job whose pod runs."""
    workspace.apply(build_job())
    workspace.kubelet.report_running(workspace.await_pod())
    workspace.await_condition("Running", "True")
    return workspace.batch_jobs()[0].metadata.name


def patch_status(workspace: Workspace, status: dict) -> None:
    workspace.custom.patch_namespaced_custom_object_status(
        *(GROUP, VERSION, workspace.namespace, PLURAL, "invoices", {"status": status}),
        _content_type="application/merge-patch+json",
    )


def delete_run(workspace: Workspace, run: str) -> None:
    """Delete a run's Job and pod, and wait until they are gone."""
    workspace.batch.delete_namespaced_job(run, workspace.namespace, propagation_policy="Background")
    eventually(lambda: not workspace.batch_jobs())
    workspace.kubelet.remove(workspace.core.list_namespaced_pod(workspace.namespace).items[0].metadata.name)


def test_a_queue_that_suspends_the_job_is_not_fought(workspace: Workspace, run: str):
    pod = workspace.await_pod()
    workspace.batch.patch_namespaced_job(run, workspace.namespace, {"spec": {"suspend": True}})
    eventually(lambda: not workspace.pods())
    workspace.kubelet.remove(pod)

    assert "Kueue" in workspace.await_condition("Running", "False", Reason.Queued)
    assert workspace.batch_jobs()[0].spec.suspend is True
    assert workspace.table()[0][0] == State.Pending

    workspace.batch.patch_namespaced_job(run, workspace.namespace, {"spec": {"suspend": False}})
    workspace.await_pod(other_than=pod)


def test_a_job_in_a_queue_waits_in_a_cluster_without_kueue_and_says_so(workspace: Workspace):
    workspace.apply(build_job(queueName="gpus", queuePriorityClass="urgent"))

    assert "not installed" in workspace.await_condition("Running", "False", Reason.Queued)
    (job,) = workspace.batch_jobs()
    labels = {LABEL_QUEUE: "gpus", LABEL_QUEUE_PRIORITY: "urgent"}
    assert job.spec.suspend is True and labels.items() <= job.metadata.labels.items()

    workspace.batch.patch_namespaced_job(job.metadata.name, workspace.namespace, {"spec": {"suspend": False}})
    workspace.kubelet.report_running(workspace.await_pod())
    workspace.await_condition("Running", "True")


def test_the_label_of_a_job_is_restored(workspace: Workspace, run: str):
    uid = workspace.batch_jobs()[0].metadata.uid
    workspace.batch.patch_namespaced_job(
        run, workspace.namespace, {"metadata": {"labels": {LABEL_JOB: None}}}
    )

    eventually(lambda: [job.metadata.uid for job in workspace.batch_jobs()] == [uid])
    workspace.kubelet.report_succeeded(workspace.await_pod(), RunResult(succeeded=True))
    workspace.await_condition("Complete", "True")


def test_the_parallelism_of_a_job_is_set_back(workspace: Workspace, run: str):
    workspace.batch.patch_namespaced_job(run, workspace.namespace, {"spec": {"parallelism": 3}})

    eventually(lambda: workspace.batch_jobs()[0].spec.parallelism == 1)


def test_a_config_map_of_someone_else_is_not_taken_over(
    workspace: Workspace, operator: OperatorProcess, run: str
):
    operator.stop()  # it would create the ConfigMap again before the other one is there
    delete_run(workspace, run)
    workspace.core.delete_namespaced_config_map(run, workspace.namespace)
    theirs = {"metadata": {"name": run}, "data": {"of": "someone else"}}
    workspace.core.create_namespaced_config_map(workspace.namespace, theirs)
    operator.start()

    eventually(lambda: "belongs to something else" in workspace.condition("Running")[2])
    config_map = workspace.core.read_namespaced_config_map(run, workspace.namespace)
    assert config_map.data == {"of": "someone else"} and not config_map.metadata.owner_references


def test_a_job_of_someone_else_is_not_taken_over(workspace: Workspace, operator: OperatorProcess, run: str):
    operator.stop()
    delete_run(workspace, run)
    container = {"name": "theirs", "image": "theirs"}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    theirs = {"metadata": {"name": run}, "spec": {"suspend": True, "template": template}}
    uid = workspace.batch.create_namespaced_job(workspace.namespace, theirs).metadata.uid
    operator.start()

    taken = f"Job {workspace.namespace}/{run} exists and belongs to something else; delete or rename it."
    eventually(lambda: taken in workspace.condition("Running")[2])
    job = workspace.batch.read_namespaced_job(run, workspace.namespace)
    assert (job.metadata.uid, job.metadata.owner_references) == (uid, None)
    workspace.batch.delete_namespaced_job(run, workspace.namespace, propagation_policy="Background")
    workspace.kubelet.report_running(workspace.await_pod())
    workspace.await_condition("Running", "True")


def test_a_namespace_that_is_deleted_during_a_run_disturbs_no_other(
    server: ApiServer, api: client.ApiClient, operator: OperatorProcess, workspace: Workspace, run: str
):
    name = workspace.core.create_namespace({"metadata": {"generateName": "gone-"}}).metadata.name
    gone = Workspace(server, name, api)
    gone.apply(build_job(pod={"terminationGracePeriodSeconds": 1}))  # the namespace waits for that, too
    pod = gone.await_pod()
    gone.kubelet.report_running(pod)
    gone.await_condition("Running", "True")
    before = len(operator.log.read_text().splitlines())

    workspace.core.delete_namespace(name)
    eventually(lambda: not gone.pods(), what="the pod is being deleted")
    gone.kubelet.report_failed(pod, EXIT_RETRY)
    gone.kubelet.remove(pod)
    eventually(lambda: name not in workspace.kubectl("get", "namespaces", "--output=name"), within=60)

    workspace.kubelet.report_succeeded(workspace.await_pod(), RunResult(succeeded=True))
    workspace.await_condition("Complete", "True")
    lines = [line for line in operator.log.read_text().splitlines()[before:] if name in line]
    assert len(lines) < 10 and "Defect" not in "".join(lines), lines
    eventually(lambda: operator.metric("finscribe_operator_queue_depth") == 0)


def test_a_completion_time_that_someone_wrote_does_not_hold_up_the_job(workspace: Workspace, run: str):
    patch_status(workspace, {"run": {"completionTime": "2026-01-01T00:00:00Z"}})
    workspace.kubelet.report_succeeded(workspace.await_pod(), RunResult(succeeded=True))

    workspace.await_condition("Complete", "True")


def test_a_status_that_was_deleted_is_made_again_from_the_job(workspace: Workspace, run: str):
    result = RunResult(succeeded=True, outputs=Outputs(uri="s3://models/invoices/runs/x"))
    workspace.kubelet.report_succeeded(workspace.await_pod(), result)
    workspace.await_condition("Complete", "True")
    uid = workspace.batch_jobs()[0].metadata.uid

    patch_status(workspace, {"run": None, "conditions": None, "runs": None})

    workspace.await_condition("Complete", "True")
    status = workspace.status()
    assert status.run is not None and (status.run.name, status.run.outputs) == (run, result.outputs)
    assert [job.metadata.uid for job in workspace.batch_jobs()] == [uid]


def test_a_config_map_that_was_deleted_is_made_again_for_the_next_attempt(workspace: Workspace, run: str):
    pod = workspace.await_pod()
    before = workspace.core.read_namespaced_config_map(run, workspace.namespace).data
    workspace.core.delete_namespaced_config_map(run, workspace.namespace)
    workspace.kubelet.report_failed(pod, 75, "connection reset")

    workspace.kubelet.report_waiting(workspace.await_pod(other_than=pod))

    def config() -> dict:
        found = workspace.core.list_namespaced_config_map(workspace.namespace).items
        return next((c.data for c in found if c.metadata.name == run), {})

    eventually(lambda: config() == before)
