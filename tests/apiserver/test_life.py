"""The states of a run from its creation to its end, with a fake kubelet."""

import os
from pathlib import Path

import pytest
import yaml

from finscribe_core.api.conditions import Reason
from finscribe_core.api.v1alpha1 import State
from finscribe_core.constants import EXIT_RETRY, EXIT_USER_ERROR
from finscribe_core.errors import FailureReason
from finscribe_core.report import Metrics, Outputs, Phase, Progress, ProgressReport, RunResult
from tests.apiserver.eventually import eventually
from tests.apiserver.fake_kubelet import serving_progress
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.workspace import Workspace, build_job

GOLDEN_JOB = Path(__file__).with_name("golden_job.yaml")
TRAINING = ProgressReport(
    progress=Progress(
        phase=Phase.Training,
        step=420,
        total_steps=1250,
        epoch=1.68,
        percent=33,
        eta_seconds=1810,
        samples_per_second="2.75",
        step_seconds=0,
    ),
    metrics=Metrics(train_loss="0.412"),
)
RESULT = RunResult(
    succeeded=True,
    progress=Progress(phase=Phase.Uploading, step=1250, total_steps=1250, epoch=5.0, percent=100),
    metrics=Metrics(train_loss="0.21", eval_loss="0.31", best_eval_loss="0.3"),
    outputs=Outputs(
        uri="s3://team-models/invoices/runs/r", adapter="s3://team-models/invoices/runs/r/adapter"
    ),
)

pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture
def workspace(workspace: Workspace) -> Workspace:
    workspace.apply(build_job())
    workspace.await_pod()
    return workspace


def test_the_job_of_a_run_is_exactly_as_expected(workspace: Workspace):
    job = workspace.batch.api_client.sanitize_for_serialization(workspace.batch_jobs()[0])

    spec = job["spec"]
    del spec["selector"]
    spec["template"]["metadata"]["labels"] = {
        name: value for name, value in spec["template"]["metadata"]["labels"].items() if "uid" not in name
    }
    text = yaml.safe_dump(spec).replace(job["metadata"]["name"], "<run>").replace(workspace.namespace, "<ns>")
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN_JOB.write_text(text)
    assert text == GOLDEN_JOB.read_text()


def test_a_run_goes_from_pending_to_complete_and_every_column_is_always_set(workspace: Workspace):
    pod = workspace.await_pod()
    workspace.kubelet.report_unschedulable(pod, "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.")
    assert "Insufficient nvidia.com/gpu" in workspace.await_condition(
        "Running", "False", Reason.Unschedulable
    )
    workspace.assert_table_is_full()

    workspace.kubelet.report_waiting(pod)
    workspace.await_condition("Running", "False", Reason.ContainerCreating)
    workspace.assert_table_is_full()

    address = workspace.kubelet.report_running(pod)
    report = TRAINING.model_copy(update={"run": workspace.batch_jobs()[0].metadata.name})
    with serving_progress(address, report) as trainer:
        workspace.await_condition("Running", "True", Phase.Training)
        eventually(lambda: workspace.table()[0][:4] == ["Running", "33%", "30m", "0.412"])
        assert "2.75" in workspace.kubectl("get", "ftj", "--output=wide")
        progress = report.progress.model_copy(update={"percent": 90})
        trainer.report = report.model_copy(update={"progress": progress})
        eventually(lambda: workspace.table()[0][1] == "90%")

    workspace.kubelet.report_succeeded(pod, RESULT)
    workspace.await_condition("Complete", "True", Reason.Succeeded)
    workspace.await_condition("Reconciling", "False")
    assert workspace.table()[0][:4] == ["Complete", "100%", "-", "0.21"]
    run = workspace.status().run
    assert run is not None and run.outputs == RESULT.outputs and run.completion_time


def test_the_status_shows_why_a_container_cannot_start(workspace: Workspace):
    workspace.kubelet.report_waiting(
        workspace.await_pod(), "ErrImagePull", "no such image: finscribe/trainer:test"
    )

    message = workspace.await_condition("Running", "False", Reason.ContainerCannotStart)

    assert "no such image" in message
    workspace.assert_table_is_full()


def test_a_user_error_fails_the_run_at_once_with_the_trainers_message(workspace: Workspace):
    pod = workspace.await_pod()
    workspace.kubelet.report_running(pod)
    result = RunResult(
        succeeded=False,
        reason=FailureReason.DatasetNotFound,
        message="s3://team-docs/invoices/train.jsonl does not exist.",
        remedy="Correct dataset.train.",
    )
    workspace.kubelet.report_failed(pod, EXIT_USER_ERROR, result.to_termination_message())

    message = workspace.await_condition("Failed", "True", FailureReason.DatasetNotFound)

    assert "does not exist" in message and "Correct dataset.train." in message
    workspace.await_condition("Stalled", "True", FailureReason.DatasetNotFound)
    assert [p.metadata.name for p in workspace.pods()] == [pod]
    workspace.assert_table_is_full()


def test_a_failed_attempt_is_retried_and_counted(workspace: Workspace):
    pod = workspace.await_pod()
    workspace.kubelet.report_running(pod)
    workspace.kubelet.report_failed(pod, EXIT_RETRY, "connection reset")
    eventually(lambda: workspace.table()[0][0] == State.Retrying)
    workspace.assert_table_is_full()

    second = workspace.await_pod(other_than=pod)
    workspace.kubelet.report_succeeded(second, RESULT)

    workspace.await_condition("Complete", "True")
    run = workspace.status().run
    assert run is not None and run.failed_attempts == 1


def test_the_status_shows_that_a_run_ran_out_of_memory(workspace: Workspace):
    workspace.change({"spec": {"backoffLimit": 0}})
    eventually(lambda: workspace.batch_jobs()[0].spec.backoff_limit == 0)
    pod = workspace.await_pod()
    workspace.kubelet.report_running(pod)
    workspace.kubelet.report_failed(pod, 137, reason="OOMKilled")

    message = workspace.await_condition("Failed", "True", FailureReason.OOMKilled)

    assert "resources.memory" in message
    workspace.assert_table_is_full()


def test_the_operator_writes_only_the_status_of_a_job(workspace: Workspace, operator: OperatorProcess):
    workspace.kubelet.report_succeeded(workspace.await_pod(), RESULT)
    workspace.await_condition("Complete", "True")

    fields = workspace.job()["metadata"]["managedFields"]
    managers = {(entry["manager"], entry.get("subresource", "")) for entry in fields}

    assert {sub for manager, sub in managers if not manager.startswith("kubectl")} == {"status"}
    assert "finalizers" not in workspace.job()["metadata"]
