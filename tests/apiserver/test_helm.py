"""Jobs that run are left alone while helm installs, upgrades, rolls back, uninstalls and installs again."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from finscribe_core.constants import GROUP, PLURAL
from tests.apiserver.installation import ROOT
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.workspace import Workspace, build_job
from tools.kube.apiserver import ApiServer
from tools.kube.binaries import provide

CHART = ROOT / "charts" / "finscribe"
RELEASE, NAMESPACE = "upgraded", "upgraded-system"
BEFORE = "0.0.1"
Helm = Callable[..., str]


@pytest.fixture
def helm(server: ApiServer) -> Iterator[Helm]:
    """Runs the real helm for the release, which is another one than that of the tests' operator."""
    program = str(provide(["helm"])["helm"])

    def run(*arguments: str) -> str:
        command = [program, f"--kubeconfig={server.kubeconfig}", f"--namespace={NAMESPACE}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    yield run
    run("uninstall", RELEASE, "--ignore-not-found")
    server.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.fixture
def chart_before(tmp_path: Path) -> Path:
    """The chart as if it were of an earlier version: nothing has been released before this one."""
    folder = tmp_path / "finscribe"
    shutil.copytree(CHART, folder)
    about = yaml.safe_load((folder / "Chart.yaml").read_text()) | {"version": BEFORE, "appVersion": BEFORE}
    (folder / "Chart.yaml").write_text(yaml.safe_dump(about))
    return folder


def test_a_running_job_survives_upgrade_rollback_uninstall_and_reinstall(
    server: ApiServer, workspace: Workspace, operator: OperatorProcess, helm: Helm, chart_before: Path
):
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]
    # The CRD is that of all tests, without helm's annotations.
    helm("install", RELEASE, str(chart_before), "--create-namespace", "--take-ownership")
    workspace.apply(build_job())
    workspace.kubelet.report_running(workspace.await_pod())
    workspace.await_condition("Running", "True")
    children = _children(workspace)
    assert _versions(server) == (f"finscribe-{BEFORE}", f"finscribe-{BEFORE}")

    for command, expected in (
        (("upgrade", RELEASE, str(CHART), "--set=operator.replicas=2"), version),
        (("rollback", RELEASE, "1"), BEFORE),
    ):
        helm(*command)
        assert _versions(server) == (f"finscribe-{expected}", f"finscribe-{expected}"), command

    helm("uninstall", RELEASE)
    left = server.kubectl(
        "get", "deployments,configmaps,serviceaccounts", f"--namespace={NAMESPACE}", "-o=name"
    )
    assert f"{RELEASE}-operator" not in left
    helm("install", RELEASE, str(CHART))
    assert _versions(server) == (f"finscribe-{version}", f"finscribe-{version}")

    assert workspace.condition("Running")[0] == "True"
    assert _children(workspace) == children
    workspace.change({"spec": {"suspend": True}})
    workspace.await_condition("Suspended", "True")  # the CRD is served, and jobs can be changed


def _versions(server: ApiServer) -> tuple[str, str]:
    """The chart's version that the CRD and the Deployment of the release are of."""
    crd, deployment = (
        json.loads(server.kubectl("get", *what, "--output=json"))["metadata"]["labels"]["helm.sh/chart"]
        for what in (
            ("crd", f"{PLURAL}.{GROUP}"),
            ("deployment", f"{RELEASE}-operator", f"--namespace={NAMESPACE}"),
        )
    )
    return crd, deployment


def _children(workspace: Workspace) -> dict[str, str]:
    """Name and uid of the job's Jobs and pods."""
    return {child.metadata.name: child.metadata.uid for child in (*workspace.batch_jobs(), *workspace.pods())}
