"""A job is trained again: by a schedule, for changed data, after a change of its spec that waits."""

from datetime import UTC, datetime, timedelta

import pytest

from finscribe_core.report import DatasetState, Outputs, RunResult
from tests.apiserver.eventually import eventually
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.workspace import Workspace, build_job

RESULT = RunResult(
    succeeded=True,
    outputs=Outputs(uri="s3://team-models/invoices/runs/x"),
    dataset=DatasetState(fingerprint="a", samples=100, files=1),
)


def train(workspace: Workspace, other_than: str = "") -> str:
    """Let the pod of the present run succeed; returns its name."""
    pod = workspace.await_pod(other_than=other_than)
    workspace.kubelet.report_succeeded(pod, RESULT)
    workspace.await_condition("Complete", "True")
    return pod


def next_time(workspace: Workspace) -> str | None:
    """When the schedule starts the next run; None while the status does not say it."""
    retrain = workspace.status().retrain
    return retrain.schedule.next_time if retrain and retrain.schedule else None


def miss_a_time(workspace: Workspace, ago: timedelta) -> None:
    """The schedule was handled until then only: the operator was not running since."""
    then = (datetime.now(UTC) - ago).strftime("%Y-%m-%dT%H:%M:%SZ")
    patch = f'{{"status": {{"retrain": {{"schedule": {{"handledUntil": "{then}"}}}}}}}}'
    workspace.kubectl("patch", "ftj", "invoices", "--subresource=status", "--type=merge", f"--patch={patch}")


def causes(workspace: Workspace) -> list[str]:
    """Why the runs were started, the newest first."""
    status = workspace.status()
    return [run.cause for run in (status.run, *status.runs) if run is not None]


def events(workspace: Workspace, reason: str) -> list[str]:
    found = workspace.core.list_namespaced_event(workspace.namespace, field_selector=f"reason={reason}")
    return [event.message for event in found.items]


def test_a_time_that_passed_while_the_operator_was_down_starts_one_run(
    workspace: Workspace, operator: OperatorProcess
):
    workspace.apply(build_job(retrain={"schedule": {"cron": "0 0 * * *", "timeZone": "Europe/Berlin"}}))
    first = train(workspace)
    operator.stop()
    miss_a_time(workspace, timedelta(days=3))

    operator.start()
    pod = workspace.await_pod(other_than=first)
    eventually(lambda: any("Scheduled: 20" in text for text in events(workspace, "RunStarted")))
    operator.kill()
    operator.start()

    run = workspace.status().run
    assert causes(workspace) == ["Scheduled", "Created"] and run.occasion < datetime.now(UTC).isoformat()
    labels = workspace.core.read_namespaced_pod(pod, workspace.namespace).metadata.labels
    assert labels["finscribe.io/cause"] == "Scheduled"
    assert len(workspace.batch_jobs()) == 2
    train(workspace, other_than=first)
    assert causes(workspace) == ["Scheduled", "Created"]


def test_a_time_that_was_missed_for_too_long_is_left_out(workspace: Workspace, operator: OperatorProcess):
    cron = (datetime.now(UTC) - timedelta(hours=3)).strftime("%M %H * * *")
    schedule = {"cron": cron, "startingDeadlineSeconds": 3600}
    workspace.apply(build_job(retrain={"schedule": schedule}))
    train(workspace)
    operator.stop()
    miss_a_time(workspace, timedelta(hours=5))

    operator.start()

    eventually(lambda: workspace.status().retrain.schedule.last_missed_time)
    assert "startingDeadlineSeconds" in eventually(lambda: events(workspace, "ScheduleMissed"))[0]
    assert causes(workspace) == ["Created"]


@pytest.mark.usefixtures("operator")
def test_a_run_starts_at_the_time_of_the_schedule_though_nothing_has_changed(workspace: Workspace):
    workspace.apply(build_job())
    first = train(workspace)  # before there is a schedule, whose time may come meanwhile
    workspace.change({"spec": {"retrain": {"schedule": {"cron": "* * * * *"}}}})
    time = eventually(lambda: next_time(workspace), what="a next time")

    eventually(lambda: len(causes(workspace)) == 2, within=75)

    assert workspace.status().run.occasion == time
    assert workspace.await_pod() != first


@pytest.mark.usefixtures("operator")
def test_a_changed_spec_waits_for_the_end_of_the_run(workspace: Workspace):
    workspace.apply(build_job(retrain={"onSpecChange": "Wait"}))
    first = workspace.await_pod()
    workspace.kubelet.report_running(first)

    workspace.change({"spec": {"lora": {"r": 8}}})

    eventually(lambda: "once this run has ended" in workspace.condition("Accepted")[2])
    assert workspace.await_pod() == first
    workspace.kubelet.report_succeeded(first, RESULT)
    second = workspace.await_pod(other_than=first)
    assert causes(workspace) == ["SpecChanged", "Created"]
    assert workspace.status().runs[0].outcome == "Succeeded" and second != first


@pytest.mark.usefixtures("operator")
def test_only_changed_data_start_a_run(workspace: Workspace):
    workspace.apply(build_job(retrain={"onDataChange": {"checkEvery": "1m"}}))
    first = train(workspace)

    check = workspace.await_pod(other_than=first)
    (container,) = workspace.core.read_namespaced_pod(check, workspace.namespace).spec.containers
    assert container.args[-3:] == ["--data-state", "--known", "a"]
    assert "nvidia.com/gpu" not in container.resources.requests
    changed = DatasetState(fingerprint="b", samples=120, files=2)
    workspace.kubelet.report_succeeded(check, RunResult(succeeded=True, dataset=changed))

    eventually(lambda: causes(workspace) == ["DataChanged", "Created"])
    second = workspace.await_pod(other_than=first)
    assert workspace.status().run.dataset == changed and second != check
    eventually(lambda: len(workspace.batch_jobs()) == 2)  # the Job of the check is deleted
