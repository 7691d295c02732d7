"""Every pod of operator and chart satisfies Pod Security `restricted`, and those of runs have no token."""

from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from finscribe_core.api.v1alpha1 import FineTuneJob
from finscribe_core.parsing import parse_strictly
from finscribe_core.yaml_files import read_documents
from finscribe_operator.config import OperatorConfig
from finscribe_operator.manifests import build_data_check_job, build_job, build_lookup_job
from tests.apiserver.installation import ROOT, render_chart
from tests.apiserver.workspace import Workspace

RESTRICTED = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
INPUTS = sorted((ROOT / "tests" / "golden").glob("*/input.yaml"))
RUN = "invoices-0123abcd"


def pods_of_runs(path: Path, config: OperatorConfig) -> dict[str, dict[str, Any]]:
    """The pods that the operator's Jobs make of the FineTuneJob in a file."""
    (document,) = read_documents(path)
    job = parse_strictly(FineTuneJob, document)
    jobs = {
        "run": build_job(job, RUN, config),
        "lookup": build_lookup_job(job, RUN, config),
        "data check": build_data_check_job(job, RUN, 1, "", config),
    }
    return {name: made["spec"]["template"] for name, made in jobs.items()}


@pytest.fixture
def restricted(workspace: Workspace) -> Workspace:
    workspace.core.patch_namespace(workspace.namespace, RESTRICTED)
    return workspace


def admit(workspace: Workspace, template: dict[str, Any]) -> dict[str, Any]:
    """What the API server makes of a pod, which it doesn't store."""
    # Its classes and its account are not what this is about, and do not exist.
    spec = {k: v for k, v in template["spec"].items() if k not in ("priorityClassName", "runtimeClassName")}
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template["metadata"], "name": "pod"},
        "spec": {**spec, "serviceAccountName": "default"},
    }
    pod = workspace.core.create_namespaced_pod(workspace.namespace, body, dry_run="All")
    admitted: dict[str, Any] = workspace.api.sanitize_for_serialization(pod)
    return admitted


def mounts_token(pod: dict[str, Any]) -> bool:
    """Whether a token of the service account is among the pod's volumes."""
    sources = [s for v in pod["spec"]["volumes"] for s in v.get("projected", {}).get("sources", [])]
    return any("serviceAccountToken" in source for source in sources)


@pytest.mark.parametrize("fixed", [True, False], ids=["as user 65532", "as the platform's user"])
@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.parent.name)
def test_the_pods_of_a_run_are_admitted_and_get_no_token(restricted: Workspace, path: Path, fixed: bool):
    config = OperatorConfig(fixed_user_id=fixed)
    for template in pods_of_runs(path, config).values():
        assert not mounts_token(admit(restricted, template))


@pytest.mark.parametrize("fixed", ["true", "false"])
def test_the_chart_has_no_pod_but_the_operators_which_is_admitted_with_its_token(
    restricted: Workspace, fixed: str
):
    objects = render_chart(f"operator.config.fixedUserId={fixed}", "operator.replicas=2")
    (template,) = [made["spec"]["template"] for made in objects if "template" in made.get("spec", {})]

    assert {made["kind"] for made in objects} & {"Pod", "Job", "CronJob", "StatefulSet", "DaemonSet"} == set()
    assert mounts_token(admit(restricted, template))


@pytest.mark.parametrize("fixed", ["true", "false"])
def test_the_pod_of_the_web_view_is_admitted_and_gets_no_token(restricted: Workspace, fixed: str):
    objects = render_chart(f"operator.config.fixedUserId={fixed}", "ui.enabled=true")
    templates = {
        made["metadata"]["name"]: made["spec"]["template"] for made in objects if made["kind"] == "Deployment"
    }

    assert not mounts_token(admit(restricted, templates["finscribe-ui"]))


@pytest.mark.parametrize(
    ("where", "setting"),
    [
        ("pod", {"hostNetwork": True}),
        ("container", {"securityContext": {"allowPrivilegeEscalation": True}}),
        ("container", {"securityContext": None}),
    ],
    ids=["the node's network", "more privileges", "no security context"],
)
def test_a_pod_with_more_rights_would_be_refused(restricted: Workspace, where: str, setting: dict[str, Any]):
    template = pods_of_runs(INPUTS[0], OperatorConfig())["run"]
    part = template["spec"] if where == "pod" else template["spec"]["containers"][0]
    part |= setting

    with pytest.raises(client.ApiException, match="violates PodSecurity"):
        admit(restricted, template)
