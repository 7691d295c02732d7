"""The web view of a cluster, with a real API server: the rights of a kubeconfig, or of who signs in."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from finscribe_client.client import Client
from finscribe_client.ui.app import Pages
from finscribe_client.ui.job_runs import JobRuns
from finscribe_core.constants import PLURAL
from tests.apiserver.eventually import eventually
from tests.apiserver.workspace import Workspace, build_job, open_workspace
from tools.kube.apiserver import ApiServer
from tools.kube.control_plane import is_healthy
from tools.kube.process import free_ports

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


@dataclass(frozen=True)
class Shared:
    """The web view as a pod runs it, and what it has written."""

    url: str
    log: Path

    def visit(self, token: str = "") -> httpx.Client:
        """A browser; with a token one that has signed in."""
        client = httpx.Client(base_url=self.url, headers={"origin": self.url}, follow_redirects=True)
        if token:
            assert client.post("/sign-in", data={"token": token}).status_code == 200
        return client


@pytest.fixture(scope="module")
def shared(server: ApiServer, operator_kubeconfig: Path) -> Iterator[Shared]:
    """The view that permits changes, with the roles of the chart."""
    port, log = free_ports(1)[0], server.folder / "ui.log"
    command = [sys.executable, "-m", "finscribe_client.ui", "--bind=127.0.0.1", f"--port={port}"]
    command += [f"--ca-file={server.ca}", f"--api-server={server.url}", "--allow-changes"]
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        shared = Shared(f"http://127.0.0.1:{port}", log)
        eventually(is_healthy(f"{shared.url}/healthz"), within=60, what="the web view")
        yield shared
        process.terminate()
        assert process.wait(30) in (0, -15)


def token_of(workspace: Workspace, account: str, role: str) -> str:
    """A token of a new service account that has a role in its namespace only."""
    workspace.kubectl("create", "serviceaccount", account)
    name = f"{workspace.namespace}:{account}"
    workspace.kubectl("create", "rolebinding", account, f"--clusterrole={role}", f"--serviceaccount={name}")
    verb = "patch" if role == "edit" else "list"
    asked = ("auth", "can-i", verb, PLURAL, f"--as=system:serviceaccount:{name}")
    eventually(lambda: workspace.try_kubectl(*asked).returncode == 0, what=f"the role {role}")
    return workspace.kubectl("create", "token", account).strip()


def test_each_visitor_sees_and_changes_what_their_own_token_may(
    workspace: Workspace, server: ApiServer, shared: Shared
):
    workspace.apply(build_job())
    home, key = workspace.namespace, f"cluster/{workspace.namespace}/invoices"
    with open_workspace(server, workspace.api) as other:
        viewer, editor = (token_of(workspace, role, role) for role in ("view", "edit"))
        stranger = token_of(other, "view", "view")
        ana, eve, out = shared.visit(viewer), shared.visit(stranger), shared.visit()

        assert key in ana.get("/").text  # its own namespace, as it may not list all of them
        assert "s3://team-docs/invoices/train.jsonl" in ana.get(f"/run?key={key}").text
        assert "invoices" not in eve.get("/").text
        chosen = eve.post("/namespace", data={"namespace": home}).text
        assert f"Ask for the role `view` in namespace {home}" in chosen and key not in chosen
        assert "in all namespaces" in ana.post("/namespace", data={"namespace": ""}).text
        refused = eve.get(f"/run?key={key}")
        assert (refused.status_code, "team-docs" in refused.text) == (403, False)
        assert out.get(f"/run?key={key}").status_code == 401

        suspend = {"key": key, "action": "suspend"}
        denied = ana.post("/change", data=suspend)
        assert (denied.status_code, "Ask for the role `edit`" in denied.text) == (403, True)
        assert "suspend" not in workspace.job()["spec"]
        ben = shared.visit()
        ben.headers["authorization"] = f"Bearer {editor}"
        assert ben.post("/change", data=suspend).status_code == 200
        assert workspace.job()["spec"]["suspend"] is True

        pages = [client.get(f"/run?key={key}").text for client in (ana, eve, ben)]
        written = json.dumps(pages) + shared.log.read_text()
        assert [token for token in (viewer, editor, stranger) if token in written] == []


def test_a_token_that_the_api_server_does_not_accept_is_refused_and_in_no_log(
    workspace: Workspace, shared: Shared
):
    good = token_of(workspace, "view", "view")
    for token in ("nonsense", f"{good[:-4]}AAAA"):
        answer = shared.visit().post("/sign-in", data={"token": token})
        assert (answer.status_code, "does not accept this token" in answer.text) == (401, True)
        header = {"authorization": f"Bearer {token}"}
        assert shared.visit().get("/", headers=header).status_code == 401
        assert token not in shared.log.read_text() + answer.text
