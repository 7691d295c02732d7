"""The operator is killed by SIGKILL: no run is lost, none is created twice."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.watch import Watch

from finscribe_core.api.conditions import Reason
from finscribe_core.constants import GROUP, PLURAL, VERSION
from finscribe_core.report import Phase, Progress, ProgressReport, RunResult
from tests.apiserver.eventually import eventually
from tests.apiserver.fake_kubelet import TrainerEndpoint, serving_progress
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.workspace import Workspace, build_job
from tools.kube.apiserver import ApiServer

SOME = 8
MANY = 200
ROOT = Path(__file__).parents[2]


def test_changes_while_the_operator_is_down_are_handled_after_its_restart(
    workspace: Workspace, operator: OperatorProcess
):
    workspace.apply(build_job())
    pod = workspace.await_pod()
    workspace.kubelet.report_running(pod)

    operator.kill()
    workspace.kubelet.report_succeeded(pod, RunResult(succeeded=True))
    workspace.apply(build_job("receipts"))
    operator.start()

    workspace.await_condition("Complete", "True")
    workspace.await_pod("receipts")
    assert len(workspace.batch_jobs()) == len(workspace.batch_jobs("receipts")) == 1


def test_a_restart_of_the_operator_changes_nothing_that_jobs_show(
    workspace: Workspace, operator: OperatorProcess
):
    jobs = (GROUP, VERSION, workspace.namespace, PLURAL)
    refused = {"storage": {"serviceAccountName": "missing"}}
    workspace.apply(build_job("refused", **refused))
    workspace.apply(build_job("mounting"))
    workspace.kubelet.report_waiting(pod := workspace.await_pod("mounting"))
    workspace.kubelet.warn(pod, "FailedMount", "volume not found")
    eventually(lambda: "FailedMount" in workspace.condition("Running", "mounting")[2])
    workspace.await_condition("Running", "False", Reason.PodCreationFailed, name="refused")
    with training(workspace, "training"), training(workspace, "another") as trainer:
        before = {job["metadata"]["name"]: shown(job) for job in workspace.jobs()}
        version = workspace.custom.list_namespaced_custom_object(*jobs)["metadata"]["resourceVersion"]

        operator.kill()
        operator.start()
        # Once these are shown, the restarted operator has asked for all it does not watch.
        workspace.apply(build_job("refused-later", **refused))
        workspace.await_condition("Running", "False", Reason.PodCreationFailed, name="refused-later")
        trainer.report = trainer.report.model_copy(update={"progress": Progress(step=43, total_steps=100)})
        eventually(lambda: workspace.status("another").progress.step == 43)

    watch = workspace.custom.list_namespaced_custom_object
    events = Watch().stream(watch, *jobs, resource_version=version, timeout_seconds=1)
    since = [(event["object"]["metadata"]["name"], shown(event["object"])) for event in events]
    assert "another" in dict(since)
    assert [(n, s) for n, s in since if n not in ("another", "refused-later") and s != before[n]] == []


def shown(job: dict[str, Any]) -> tuple[Any, ...]:
    """What a job shows of its activity."""
    conditions = job["status"].get("conditions", [])
    running = [(c["status"], c["reason"], c["message"]) for c in conditions if c["type"] == "Running"]
    return job["status"]["summary"], running


@contextmanager
def training(workspace: Workspace, name: str) -> Iterator[TrainerEndpoint]:
    """A job whose trainer reports progress, which its status shows."""
    workspace.apply(build_job(name))
    address = workspace.kubelet.report_running(workspace.await_pod(name))
    run = workspace.batch_jobs(name)[0].metadata.name
    progress = Progress(phase=Phase.Training, step=42, total_steps=100, percent=42)
    with serving_progress(address, ProgressReport(run=run, progress=progress)) as trainer:
        workspace.await_condition("Running", "True", Phase.Training, name=name)
        yield trainer


@pytest.mark.parametrize("milliseconds", [0, 50, 250])
def test_an_operator_killed_while_it_works_leaves_one_run_for_each_job(
    workspace: Workspace, operator: OperatorProcess, milliseconds: int
):
    names = [f"job-{number}" for number in range(SOME)]
    creation = threading.Thread(target=_create, args=(workspace, names))
    creation.start()
    eventually(workspace.jobs)
    killer = threading.Timer(milliseconds / 1000, operator.kill)
    killer.start()
    creation.join()
    killer.join()
    operator.start()

    for name in names:
        workspace.kubelet.report_succeeded(workspace.await_pod(name), RunResult(succeeded=True))
    for name in names:
        workspace.await_condition("Complete", "True", name=name)
        assert [job.metadata.name for job in workspace.batch_jobs(name)] == [workspace.status(name).run.name]
        assert workspace.status(name).runs == []
        assert len(workspace.pods(name)) == 1


@pytest.mark.usefixtures("operator")
def test_each_of_many_jobs_created_at_once_gets_one_run(workspace: Workspace, record_property):
    names = [f"job-{number}" for number in range(MANY)]
    started = time.monotonic()
    _create(workspace, names, suspend=True)

    eventually(
        lambda: len(workspace.batch.list_namespaced_job(workspace.namespace).items) == MANY, within=120
    )
    eventually(lambda: {row[0] for row in workspace.table()} == {"Suspended"}, within=60)
    record_property("seconds", round(time.monotonic() - started, 1))

    owners = [
        job.metadata.owner_references[0].name
        for job in workspace.batch.list_namespaced_job(workspace.namespace).items
    ]
    assert sorted(owners) == sorted(names)


@pytest.mark.usefixtures("operator")
def test_a_newer_crd_does_not_disturb_a_running_operator(workspace: Workspace, server: ApiServer):
    path = next((ROOT / "crds").glob("finscribe.io_*.yaml"))
    newer = yaml.safe_load(path.read_text())
    for part in newer["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"].values():
        if "properties" in part:
            part["properties"]["fieldOfANewerVersion"] = {"type": "string", "default": "new"}
    workspace.apply(build_job())
    workspace.await_pod()

    server.kubectl("apply", "--server-side", "--filename=-", stdin=json.dumps(newer))
    eventually(lambda: workspace.job()["spec"].get("fieldOfANewerVersion") == "new")
    workspace.apply(build_job("receipts"))

    workspace.await_pod("receipts")
    workspace.kubelet.report_succeeded(workspace.await_pod(), RunResult(succeeded=True))
    workspace.await_condition("Complete", "True")
    assert len(workspace.batch_jobs()) == len(workspace.batch_jobs("receipts")) == 1
    assert workspace.job()["status"]["fieldOfANewerVersion"] == "new"
    server.kubectl("apply", "--server-side", f"--filename={path}")


def _create(workspace: Workspace, names: list[str], **spec: object) -> None:
    job_list = {"apiVersion": "v1", "kind": "List", "items": [build_job(name, **spec) for name in names]}
    workspace.kubectl("create", "--filename=-", stdin=json.dumps(job_list))
