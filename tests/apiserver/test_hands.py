"""What other programs and people do to a job's children, its status and its Events is put right, or said."""

import pytest

from finscribe_core.api.conditions import Reason
from finscribe_core.api.v1alpha1 import State
from finscribe_core.constants import GROUP, LABEL_JOB, PLURAL, VERSION
from finscribe_core.report import Outputs, RunResult
from tests.apiserver.eventually import eventually
from tests.apiserver.workspace import Workspace, build_job

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


def test_a_config_map_of_someone_else_is_not_taken_over(workspace: Workspace, run: str):
    pod = workspace.await_pod()
    workspace.change({"spec": {"suspend": True}})
    eventually(lambda: not workspace.pods())
    workspace.kubelet.remove(pod)
    workspace.batch.delete_namespaced_job(run, workspace.namespace, propagation_policy="Background")
    workspace.core.delete_namespaced_config_map(run, workspace.namespace)
    theirs = {"metadata": {"name": run}, "data": {"of": "someone else"}}
    workspace.core.create_namespaced_config_map(workspace.namespace, theirs)

    eventually(lambda: "belongs to something else" in workspace.condition("Running")[2])
    config_map = workspace.core.read_namespaced_config_map(run, workspace.namespace)
    assert config_map.data == {"of": "someone else"} and not config_map.metadata.owner_references


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
