"""Experiments with the real API server: permissions, ownership, garbage collection."""

import pytest

from finscribe_core.api.v1alpha1 import State
from tests.apiserver.eventually import eventually
from tests.apiserver.workspace import Workspace, build_job

pytestmark = pytest.mark.usefixtures("operator")

LOWER = {"name": "lower-rate", "overrides": {"training.learningRate": 1e-5}}
MODULES = {"name": "modules", "overrides": {"lora.targetModules": ["q_proj"], "method": "QLoRA"}}


def names(workspace: Workspace) -> list[str]:
    return sorted(job["metadata"]["name"] for job in workspace.jobs())


def test_experiments_are_jobs_that_run_follow_their_job_and_go_with_it(workspace: Workspace):
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


def test_an_experiment_whose_setting_does_not_exist_is_said(workspace: Workspace):
    odd = {"name": "odd", "overrides": {"training.learnigRate": 1e-5}}
    workspace.apply(build_job(experiments=[odd]))

    message = workspace.await_condition("Accepted", "False")

    assert (
        "experiments: odd training.learnigRate: unknown key learnigRate; did you mean learningRate?"
        in message
    )
