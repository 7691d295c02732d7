"""Changes of a job by its user: suspend, delete, edit, apply again."""

import json

import pytest
import yaml

from finscribe_core.api.conditions import Reason
from finscribe_core.constants import EXIT_RETRY, EXIT_USER_ERROR, LABEL_JOB
from finscribe_core.errors import FailureReason
from finscribe_core.report import Phase, Progress, ProgressReport, RunResult
from tests.apiserver.eventually import eventually
from tests.apiserver.fake_kubelet import serving_progress
from tests.apiserver.workspace import Workspace, build_job

pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture
def workspace(workspace: Workspace) -> Workspace:
    workspace.apply(build_job())
    workspace.await_pod()
    return workspace


def test_suspend_terminates_the_pod_and_resume_creates_another_for_the_same_run(workspace: Workspace):
    pod, run = workspace.await_pod(), workspace.batch_jobs()[0].metadata.name
    workspace.kubelet.report_running(pod)

    workspace.change({"spec": {"suspend": True}})
    workspace.await_condition("Suspended", "True", Reason.SuspendedBySpec)
    workspace.assert_table_is_full()
    eventually(lambda: not workspace.pods())
    workspace.kubelet.remove(pod)
    eventually(lambda: workspace.table()[0][0] == "Suspended")

    workspace.change({"spec": {"suspend": False}})
    workspace.await_pod(other_than=pod)
    workspace.await_condition("Suspended", "False")
    assert [job.metadata.name for job in workspace.batch_jobs()] == [run]


def test_a_run_that_is_resumed_while_its_pod_still_ends_starts_only_afterwards(workspace: Workspace):
    pod = workspace.await_pod()
    workspace.kubelet.report_running(pod)
    workspace.change({"spec": {"suspend": True}})
    eventually(lambda: not workspace.pods(), what="the pod is being deleted")

    workspace.change({"spec": {"suspend": False}})

    workspace.await_condition("Suspended", "False")
    workspace.await_condition("Running", "True", Reason.Stopping)
    assert not workspace.pods(), "both pods would write the same checkpoints"
    workspace.kubelet.report_stopped(pod, EXIT_RETRY)
    workspace.kubelet.remove(pod)
    workspace.kubelet.report_running(workspace.await_pod(other_than=pod))
    workspace.await_condition("Running", "True", Phase.Starting)


def test_a_run_that_is_suspended_between_two_attempts_keeps_its_failures(workspace: Workspace):
    pod = workspace.await_pod()
    workspace.kubelet.report_running(pod)
    workspace.kubelet.report_failed(pod, EXIT_RETRY)
    workspace.await_condition("Running", "False", Reason.Retrying)

    workspace.change({"spec": {"suspend": True}})

    workspace.await_condition("Running", "False", Reason.SuspendedBySpec)
    assert workspace.table()[0][0] == "Suspended"
    workspace.change({"spec": {"suspend": False}})
    workspace.kubelet.report_succeeded(workspace.await_pod(other_than=pod), RunResult(succeeded=True))
    workspace.await_condition("Complete", "True")
    assert workspace.status().run.failed_attempts == 1


def test_deleting_a_job_deletes_its_children(workspace: Workspace):
    run = workspace.batch_jobs()[0].metadata.name

    workspace.delete()

    eventually(lambda: not workspace.batch_jobs() and not workspace.pods())
    eventually(lambda: run not in workspace.kubectl("get", "configmaps", "--output=name"))


def test_a_changed_spec_starts_a_new_run_and_records_the_old_one(workspace: Workspace):
    workspace.kubelet.report_succeeded(workspace.await_pod(), RunResult(succeeded=True))
    workspace.await_condition("Complete", "True")
    first = workspace.batch_jobs()[0].metadata.name

    workspace.change({"spec": {"lora": {"r": 8}}})

    eventually(lambda: workspace.status().run.name != first)
    second = workspace.status().run.name
    eventually(lambda: second in [job.metadata.name for job in workspace.batch_jobs()])
    assert [(r.name, r.outcome) for r in workspace.status().runs] == [(first, "Succeeded")]
    workspace.assert_table_is_full()


def test_a_changed_spec_supersedes_an_active_run(workspace: Workspace):
    pod = workspace.await_pod()
    first = workspace.batch_jobs()[0].metadata.name
    report = ProgressReport(run=first, progress=Progress(step=5, total_steps=10))
    with serving_progress(workspace.kubelet.report_running(pod), report):
        eventually(lambda: workspace.status().progress.step == 5)

    workspace.change({"spec": {"training": {"learningRate": 1e-4}}})

    eventually(lambda: [(r.name, r.outcome) for r in workspace.status().runs] == [(first, "Superseded")])
    eventually(lambda: pod not in [p.metadata.name for p in workspace.pods()], what="the old pod is deleted")
    workspace.kubelet.remove(pod)
    eventually(lambda: first not in [job.metadata.name for job in workspace.batch_jobs()])
    eventually(lambda: len(workspace.batch_jobs()) == 1)


def test_of_thirty_changes_within_seconds_the_last_one_is_the_only_run_that_is_left(workspace: Workspace):
    for number in range(30):
        workspace.change({"spec": {"lora": {"r": number + 1}}})
    generation = workspace.job()["metadata"]["generation"]
    eventually(lambda: workspace.status().observed_generation == generation)
    run = workspace.status().run.name

    selector = f"--selector={LABEL_JOB}=invoices"
    children = {f"configmap/{run}", f"job.batch/{run}"}
    eventually(
        lambda: (
            set(workspace.kubectl("get", "configmaps,jobs", selector, "--output=name").split()) == children
        )
    )
    config = workspace.core.read_namespaced_config_map(run, workspace.namespace).data["config.yaml"]
    assert yaml.safe_load(config)["lora"]["r"] == 30
    eventually(lambda: len(workspace.pods()) == 1)
    assert workspace.status().runs == []


def test_a_run_that_gets_more_memory_continues_under_its_name_in_a_new_pod(workspace: Workspace):
    pod, run = workspace.await_pod(), workspace.batch_jobs()[0].metadata.name
    workspace.kubelet.report_running(pod)

    workspace.change({"spec": {"resources": {"memory": "64Gi"}}})

    workspace.await_condition("Running", "False", Reason.Stopping)
    eventually(lambda: not workspace.pods(), what="the old pod is being deleted")
    workspace.kubelet.remove(pod)
    workspace.await_pod(other_than=pod)
    (job,) = workspace.batch_jobs()
    (container,) = job.spec.template.spec.containers
    assert (job.metadata.name, container.resources.limits["memory"]) == (run, "64Gi")
    assert [record.name for record in workspace.status().runs] == []
    assert "AttemptReplaced" in workspace.kubectl("get", "events", "--output=jsonpath={.items[*].reason}")


def test_a_run_that_ran_out_of_memory_continues_with_more(workspace: Workspace):
    workspace.change({"spec": {"backoffLimit": 0}})
    eventually(lambda: workspace.batch_jobs()[0].spec.backoff_limit == 0)
    pod, run = workspace.await_pod(), workspace.batch_jobs()[0].metadata.name
    workspace.kubelet.report_running(pod)
    workspace.kubelet.report_failed(pod, 137, reason="OOMKilled")
    workspace.await_condition("Failed", "True", FailureReason.OOMKilled)

    workspace.change({"spec": {"resources": {"memory": "64Gi"}}})

    workspace.await_pod(other_than=pod)
    workspace.await_condition("Failed", "False")
    assert [job.metadata.name for job in workspace.batch_jobs()] == [run]


def test_a_failed_run_continues_when_its_retry_annotation_changes(workspace: Workspace):
    pod, run = workspace.await_pod(), workspace.batch_jobs()[0].metadata.name
    workspace.kubelet.report_running(pod)
    workspace.kubelet.report_failed(pod, EXIT_USER_ERROR)
    workspace.await_condition("Failed", "True")

    workspace.kubectl("annotate", "finetunejob", "invoices", "finscribe.io/retry=1")

    second = workspace.await_pod(other_than=pod)
    workspace.kubelet.report_succeeded(second, RunResult(succeeded=True))
    workspace.await_condition("Complete", "True")
    status = workspace.status().run
    assert status is not None and (status.name, status.retry_token) == (run, "1")
    assert "RetryRequested" in workspace.kubectl("get", "events", "--output=jsonpath={.items[*].reason}")


def test_a_run_that_succeeded_stays_as_it_is_when_its_pod_would_change(workspace: Workspace):
    workspace.kubelet.report_succeeded(workspace.await_pod(), RunResult(succeeded=True))
    workspace.await_condition("Complete", "True")
    uid = workspace.batch_jobs()[0].metadata.uid

    workspace.change({"spec": {"image": "trainer:2", "resources": {"memory": "64Gi"}}})

    generation = workspace.job()["metadata"]["generation"]
    eventually(lambda: workspace.status().observed_generation == generation)
    assert [job.metadata.uid for job in workspace.batch_jobs()] == [uid]
    assert workspace.table()[0][0] == "Complete"


def test_applying_the_same_job_again_starts_nothing_and_shows_no_difference(workspace: Workspace):
    workspace.kubelet.report_succeeded(workspace.await_pod(), RunResult(succeeded=True))
    workspace.await_condition("Complete", "True")
    before = workspace.job()

    diff = workspace.server.try_kubectl(
        f"--namespace={workspace.namespace}", "diff", "--filename=-", stdin=json.dumps(build_job())
    )
    workspace.apply(build_job())

    assert (diff.returncode, diff.stdout) == (0, "")
    assert workspace.job()["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert len(workspace.batch_jobs()) == 1


def test_a_gitops_tool_that_uses_server_side_apply_sees_no_difference(workspace: Workspace):
    arguments = ("--server-side", "--force-conflicts", "--field-manager=argocd-controller", "--filename=-")
    workspace.kubectl("apply", *arguments, stdin=json.dumps(build_job()))
    workspace.kubelet.report_succeeded(workspace.await_pod(), RunResult(succeeded=True))
    workspace.await_condition("Complete", "True")

    diff = workspace.server.try_kubectl(
        f"--namespace={workspace.namespace}", "diff", *arguments, stdin=json.dumps(build_job())
    )

    assert (diff.returncode, diff.stdout) == (0, "")
    assert len(workspace.batch_jobs()) == 1
