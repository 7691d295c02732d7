"""The web view as the chart runs it in a cluster, reached and used as docs/ui.md says."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from finscribe_core.constants import GROUP, PLURAL
from tests.apiserver.eventually import eventually
from tests.e2e.conftest import SYSTEM_NAMESPACE, Helm
from tests.e2e.team import Team
from tools.kube.binaries import provide
from tools.kube.cluster import Cluster
from tools.kube.control_plane import is_healthy
from tools.kube.images import UI
from tools.kube.process import free_ports


@pytest.fixture
def web_view(cluster: Cluster, helm: Helm) -> Iterator[str]:
    """Its address on this machine."""
    if os.environ.get("IMAGES") != "keep":
        cluster.provide_image(UI)
    helm.upgrade({"ui.enabled": True, "ui.image.pullPolicy": "Never"}, "--reuse-values")
    with forwarded_port(cluster, "service/finscribe-ui") as url:
        eventually(is_healthy(f"{url}/healthz"), within=30, what="the web view")
        yield url


@contextmanager
def forwarded_port(cluster: Cluster, target: str) -> Iterator[str]:
    (port,) = free_ports(1)
    kubectl = [str(provide(["kubectl"])["kubectl"]), f"--kubeconfig={cluster.kubeconfig}"]
    command = [*kubectl, f"--namespace={SYSTEM_NAMESPACE}", "port-forward", target, f"{port}:80"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield f"http://localhost:{port}"
        finally:
            process.terminate()


def test_a_visitor_signs_in_with_a_token_and_sees_the_jobs_that_it_may_view(team: Team, web_view: str):
    team.submit("seen", suspend=True)
    team.kubectl("create", "serviceaccount", "viewer")
    account = f"{team.namespace}:viewer"
    team.kubectl("create", "rolebinding", "viewer", "--clusterrole=view", f"--serviceaccount={account}")
    token = team.kubectl("create", "token", "viewer").strip()
    with httpx.Client(base_url=web_view, headers={"origin": web_view}, follow_redirects=True) as visitor:
        assert visitor.post("/sign-in", data={"token": token}).status_code == 200
        jobs = visitor.get("/").text
        run = visitor.get(f"/run?key=cluster/{team.namespace}/seen").text
    team.kubectl("delete", f"{PLURAL}.{GROUP}", "seen")
    assert f"cluster/{team.namespace}/seen" in jobs
    assert "Suspended" in run and "s3://finscribe-demo/results/seen" in run
