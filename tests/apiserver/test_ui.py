"""The web view of a cluster, with a real API server: the rights of the kubeconfig, read-only by default."""

import pytest
from starlette.testclient import TestClient

from finscribe_client.client import Client
from finscribe_client.ui.app import Pages
from finscribe_client.ui.job_runs import JobRuns
from tests.apiserver.workspace import Workspace, build_job

FORM = {"content-type": "application/x-www-form-urlencoded"}


def test_a_job_of_the_cluster_is_shown_and_changed_only_if_that_was_asked_for(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("KUBECONFIG", str(workspace.server.kubeconfig))
    workspace.apply(build_job())
    client, key = Client(workspace.namespace), f"cluster/{workspace.namespace}/invoices"
    reading = TestClient(Pages([JobRuns(client, "cluster")]).app())
    changing = TestClient(Pages([JobRuns(client, "cluster", client=client)]).app())

    assert key in reading.get("/").text
    assert "s3://team-docs/invoices/train.jsonl" in reading.get(f"/run?key={key}").text
    assert ">Suspend</button>" not in reading.get(f"/run?key={key}").text
    assert reading.post("/change", content=f"key={key}&action=suspend", headers=FORM).status_code == 502
    assert "suspend" not in workspace.job()["spec"]

    assert ">Suspend</button>" in changing.get(f"/run?key={key}").text
    shown = changing.post("/change", content=f"key={key}&action=suspend", headers=FORM)
    assert shown.status_code == 200
    assert workspace.job()["spec"]["suspend"] is True
