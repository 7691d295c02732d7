"""The example for Kubeflow Trainer: what the real one makes of it starts the trainer as the operator does."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from finscribe_core.constants import EXIT_PEER_LOST, EXIT_USER_ERROR, NODE_VARIABLES
from finscribe_trainer.cli.train import train
from finscribe_trainer.distributed.nodes import Place, read_place
from tests.apiserver.eventually import eventually
from tests.apiserver.installation import ROOT
from tests.apiserver.workspace import Workspace
from tools.kube.apiserver import ApiServer, running_api_server
from tools.kube.kubeflow import find_trainer_crds, running_kubeflow_trainer

pytestmark = pytest.mark.kubeflow
EXAMPLE = ROOT / "examples" / "kubeflow.yaml"
RUN = ["kubectl apply -f examples/kubeflow.yaml"]
"""Commands of pages that a test runs, in a namespace of its own."""
RANK = "metadata.annotations['batch.kubernetes.io/job-completion-index']"


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[ApiServer]:
    """An API server of this file, with Kubeflow Trainer."""
    with (
        running_api_server(find_trainer_crds(), lambda: request.session.testsfailed > 0) as running,
        running_kubeflow_trainer(running),
    ):
        yield running


@pytest.fixture
def node(workspace: Workspace) -> dict[str, Any]:
    """The Job of the JobSet that is made of the example."""
    workspace.kubectl("apply", "--filename=-", stdin=EXAMPLE.read_text())
    get = ("get", "jobset", "invoices-1", "--output=json")
    eventually(lambda: workspace.try_kubectl(*get).returncode == 0, what="the JobSet exists")
    (job,) = json.loads(workspace.kubectl(*get))["spec"]["replicatedJobs"]
    return {"apiVersion": "batch/v1", "kind": "Job"} | job["template"] | {"metadata": {"name": job["name"]}}


def test_two_pods_with_eight_processes_each_find_each_other(
    node: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    assert (node["spec"]["completions"], node["spec"]["parallelism"]) == (2, 2)
    (container,) = node["spec"]["template"]["spec"]["containers"]
    variables = {variable["name"]: variable for variable in container["env"]}
    assert variables["PET_NODE_RANK"]["valueFrom"]["fieldRef"]["fieldPath"] == RANK
    for name in NODE_VARIABLES:
        monkeypatch.setenv(name, variables[name].get("value", "1"))
    address, port = "invoices-1-node-0-0.invoices-1", int(variables["PET_MASTER_PORT"]["value"])
    assert read_place() == Place(nodes=2, rank=1, address=address, port=port)
    assert container["args"][0] == train.name
    assert train.make_context("train", container["args"][1:3]).params["nproc_per_node"] == 8


def test_the_pods_have_what_the_trainer_needs_and_the_job_counts_failures_as_the_operators(
    node: dict[str, Any], workspace: Workspace
):
    workspace.kubectl("create", "--dry-run=server", "--filename=-", stdin=json.dumps(node))
    rules = node["spec"]["podFailurePolicy"]["rules"]
    codes = [(rule["action"], rule["onExitCodes"]["values"]) for rule in rules if "onExitCodes" in rule]
    assert codes == [("FailJob", [EXIT_USER_ERROR]), ("Ignore", [EXIT_PEER_LOST])]
    pod = node["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {each["name"] for each in pod["volumes"]}
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "8"
    run = next(variable for variable in container["env"] if variable["name"] == "FINSCRIBE_RUN")
    assert "jobset-name" in run["valueFrom"]["fieldRef"]["fieldPath"]
