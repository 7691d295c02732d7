"""Experiments with the real API server: permissions, ownership, garbage collection."""

import pytest

from finscribe_core.api.v1alpha1 import State
from finscribe_core.report import RunResult
from tests.apiserver.eventually import eventually
from tests.apiserver.workspace import Workspace, build_job

pytestmark = pytest.mark.usefixtures("operator")

LOWER = {"name": "lower-rate", "overrides": {"training.learningRate": 1e-5}}
MODULES = {"name": "modules", "overrides": {"lora.targetModules": ["q_proj"], "method": "QLoRA"}}


def names(workspace: Workspace) -> list[str]:
    return sorted(job["metadata"]["name"] for job in workspace.jobs())


def test_experiments_run_are_updated_and_are_deleted_with_their_job(workspace: Workspace):
    workspace.apply(build_job(experiments=[LOWER, MODULES]))
    for name in ("invoices", "invoices-lower-rate", "invoices-modules"):
        workspace.await_pod(name)

    varied = workspace.job("invoices-modules")["spec"]
    assert (varied["lora"]["targetModules"], varied["method"]) == (["q_proj"], "QLoRA")
    assert varied["output"]["uri"] == "s3://team-models/invoices/experiments/modules"

    workspace.change({"spec": {"experiments": [LOWER]}})
    eventually(lambda: names(workspace) == ["invoices", "invoices-lower-rate"])
    eventually(lambda: [e.state for e in workspace.status().experiments] == [State.Pending])

    workspace.delete()
    eventually(lambda: names(workspace) == [], within=60)


def test_another_users_job_of_an_experiments_name_is_unchanged_and_reported(workspace: Workspace):
    workspace.apply(build_job("invoices-lower-rate"))
    run = workspace.await_pod("invoices-lower-rate")
    before = workspace.job("invoices-lower-rate")

    workspace.apply(build_job(experiments=[LOWER]))

    await_name_conflict(workspace)
    after = workspace.job("invoices-lower-rate")
    assert after["spec"] == before["spec"]
    assert "ownerReferences" not in after["metadata"] and "labels" not in after["metadata"]
    assert workspace.await_pod("invoices-lower-rate") == run

    workspace.delete("invoices-lower-rate")
    eventually(lambda: parents(workspace, "invoices-lower-rate") == ["invoices"], within=60)


def test_of_two_jobs_that_name_the_same_experiment_the_first_keeps_it(workspace: Workspace):
    workspace.apply(build_job(experiments=[LOWER]))
    run = workspace.await_pod("invoices-lower-rate")

    workspace.apply(build_job("invoices-lower", experiments=[{**LOWER, "name": "rate"}]))

    await_name_conflict(workspace, "invoices-lower")
    assert parents(workspace, "invoices-lower-rate") == ["invoices"]
    assert workspace.await_pod("invoices-lower-rate") == run


def test_a_manual_change_of_an_experiment_is_reverted(workspace: Workspace):
    workspace.apply(build_job(experiments=[LOWER]))
    workspace.await_pod("invoices-lower-rate")
    spec = workspace.job("invoices-lower-rate")["spec"]

    workspace.change({"spec": {"activeDeadlineSeconds": 77, "lora": {"r": 8}}}, "invoices-lower-rate")

    eventually(lambda: workspace.job("invoices-lower-rate")["spec"] == spec)


def test_a_job_and_an_experiment_with_the_longest_names_run_to_their_ends(workspace: Workspace):
    longest, parent = "i" * 63, f"{'j' * 50}-x"
    workspace.apply(build_job(longest))
    workspace.apply(build_job(parent, experiments=[LOWER]))
    names = (longest, parent, f"{parent}-{LOWER['name']}")
    assert max(len(name) for name in names) == 63

    for name in names:
        workspace.kubelet.report_succeeded(workspace.await_pod(name), RunResult(succeeded=True))
    for name in names:
        workspace.await_condition("Complete", "True", name=name)
    assert workspace.status(parent).experiments[0].job == names[2]


def await_name_conflict(workspace: Workspace, name: str = "invoices") -> None:
    """Wait until a job reports that the name of its experiment is taken."""
    conflict = "invoices-lower-rate exists and belongs to something else; delete or rename it."
    eventually(lambda: conflict in workspace.condition("Running", name)[2], what=conflict)


def parents(workspace: Workspace, name: str) -> list[str]:
    found = [job for job in workspace.jobs() if job["metadata"]["name"] == name]
    return [owner["name"] for job in found for owner in job["metadata"].get("ownerReferences", [])]


def test_an_unknown_setting_of_an_experiment_is_reported(workspace: Workspace):
    odd = {"name": "odd", "overrides": {"training.learnigRate": 1e-5}}
    workspace.apply(build_job(experiments=[odd]))

    message = workspace.await_condition("Accepted", "False")

    assert (
        "experiments: odd training.learnigRate: unknown key learnigRate; did you mean learningRate?"
        in message
    )
