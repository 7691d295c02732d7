"""Pods with everything that a job may set are admitted by the Pod Security level `restricted`."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.apiserver.workspace import Workspace, build_job
from tests.unit.docs.pages import ALL
from tools.kube.progress import ToolError

SPEC = yaml.safe_load((Path(__file__).parents[1] / "golden" / "pod_overlay" / "input.yaml").read_text())[
    "spec"
]
PAGE = ALL["docs/pods.md"]
RUN = PAGE.tested_commands
RESTRICTED = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}


@pytest.mark.usefixtures("operator")
def test_a_pod_with_every_field_of_a_job_is_admitted_by_pod_security_restricted(workspace: Workspace):
    workspace.core.patch_namespace(workspace.namespace, RESTRICTED)
    workspace.core.create_namespaced_service_account(workspace.namespace, {"metadata": {"name": "trainer"}})
    workspace.apply(build_job(**SPEC))

    pod = workspace.core.read_namespaced_pod(workspace.await_pod(), workspace.namespace)

    stored = workspace.api.sanitize_for_serialization(pod)["spec"]
    (container,) = stored["containers"]
    wanted = SPEC["pod"]
    for name in ("affinity", "topologySpreadConstraints", "schedulerName", "hostAliases", "dnsConfig"):
        assert stored[name] == wanted[name]
    assert stored["terminationGracePeriodSeconds"] == 25
    assert stored["serviceAccountName"] == "trainer"
    for name in ("env", "volumeMounts"):
        assert container[name][-len(wanted[name]) :] == wanted[name]
    kinds = {volume["name"]: set(volume) - {"name"} for volume in stored["volumes"]}
    assert all(kinds[volume["name"]] == set(volume) - {"name"} for volume in wanted["volumes"])
    assert container["resources"]["limits"]["rdma/hca"] == "1"


@pytest.mark.parametrize(
    ("pod", "words"),
    [
        ({"hostNetwork": True}, "spec.pod.hostNetwork"),
        ({"securityContext": {"runAsUser": 0}}, "spec.pod.securityContext"),
        ({"volumes": [{"name": "a", "hostPath": {"path": "/"}}]}, "spec.pod.volumes[0].hostPath"),
        ({"containers": []}, "spec.pod.containers"),
    ],
    ids=["the node's network", "another user", "the node's files", "another container"],
)
def test_there_is_no_field_for(pod: dict[str, Any], words: str, workspace: Workspace):
    with pytest.raises(ToolError, match=f'unknown field "{re.escape(words)}"'):
        workspace.apply(build_job(pod=pod))


@pytest.mark.usefixtures("operator")
def test_the_jobs_of_the_page_about_pods_get_pods(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ca.crt").write_text("certificates")
    workspace.core.patch_namespace(workspace.namespace, RESTRICTED)
    for command in RUN:
        workspace.kubectl(*command.split()[1:])
    specs = [yaml.safe_load(block)["spec"] for block in PAGE.blocks("yaml")]
    for number, spec in enumerate(specs):
        workspace.apply(build_job(f"job-{number}", **spec))

    assert len(specs) >= 7
    for number in range(len(specs)):
        workspace.await_pod(f"job-{number}")
    assert workspace.core.read_namespaced_config_map("company-ca", workspace.namespace).data.keys() == {
        "ca.crt"
    }
