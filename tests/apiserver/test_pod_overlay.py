"""A pod with everything that a job may set is admitted by the Pod Security level `restricted`."""

from pathlib import Path

import pytest
import yaml

from tests.apiserver.workspace import Workspace, build_job

SPEC = yaml.safe_load((Path(__file__).parents[1] / "golden" / "pod_overlay" / "input.yaml").read_text())[
    "spec"
]
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
