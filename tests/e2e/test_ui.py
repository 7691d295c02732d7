"""The web view of a cluster, started and used as docs/ui.md says: on this machine, and by the chart."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from finscribe_core.constants import GROUP, PLURAL
from tests.apiserver.eventually import eventually
from tests.e2e.conftest import ROOT, Helm
from tests.e2e.shell import Shell, open_shell
from tests.e2e.team import Team
from tests.unit.docs.pages import ALL
from tools.kube.cluster import Cluster
from tools.kube.control_plane import is_healthy
from tools.kube.images import UI, image_name
from tools.kube.process import free_ports

LINES = ALL["docs/ui.md"].tested_commands
HERE = [
    line
    for line in LINES
    if line.startswith("finscribe ui ") and ("--namespace" in line or "--cluster" in line)
]
UPGRADE, FORWARD, *ACCOUNT = [line for line in LINES if line.startswith(("helm ", "kubectl "))]
RUN = [*HERE, UPGRADE, FORWARD, *ACCOUNT]


@pytest.fixture
def shell(cluster: Cluster, team: Team, tmp_path: Path) -> Shell:
    """A folder with the chart and one for experiments; the team's namespace is the current one."""
    (tmp_path / "charts").symlink_to(ROOT / "charts")
    (tmp_path / "experiments").mkdir()
    return open_shell(cluster, tmp_path, team.namespace)


@pytest.fixture
def job(team: Team) -> Iterator[str]:
    """The name of a suspended job."""
    team.submit("seen", suspend=True)
    yield "seen"
    team.kubectl("delete", f"{PLURAL}.{GROUP}", "seen")


@pytest.fixture
def web_view(cluster: Cluster, helm: Helm, shell: Shell) -> Iterator[str]:
    """The address of the chart's one on this machine."""
    if os.environ.get("IMAGES") != "keep":
        cluster.provide_image(UI)
    shell.run(UPGRADE.replace("REGISTRY", image_name(UI).partition("/")[0]))
    (port,) = free_ports(1)
    with shell.serving(FORWARD.replace("8765", str(port))) as url:
        eventually(is_healthy(f"{url}/healthz"), within=30, what="the web view")
        yield url


def in_namespace(team: Team, line: str) -> str:
    """A line of the page for the team's namespace instead of `team`."""
    return re.sub(r"(?<![-\w])team(?![-\w])", team.namespace, line)


def test_a_visitor_signs_in_with_a_token_and_sees_the_jobs_that_it_may_view(
    team: Team, job: str, shell: Shell, web_view: str
):
    token = [shell.run(in_namespace(team, line)) for line in ACCOUNT][-1].strip()

    with httpx.Client(base_url=web_view, headers={"origin": web_view}, follow_redirects=True) as visitor:
        assert visitor.post("/sign-in", data={"token": token}).status_code == 200
        jobs = visitor.get("/").text
        run = visitor.get(f"/run?key=cluster/{team.namespace}/{job}").text

    assert f"cluster/{team.namespace}/{job}" in jobs
    assert "Suspended" in run and f"s3://finscribe-demo/results/{job}" in run


@pytest.mark.parametrize("line", HERE)
def test_on_this_machine_it_shows_the_jobs_of_the_cluster(line: str, team: Team, job: str, shell: Shell):
    with shell.serving(f"{in_namespace(team, line)} --port 0") as url:
        jobs = httpx.get(url, follow_redirects=True).text

    assert f"cluster/{team.namespace}/{job}" in jobs
