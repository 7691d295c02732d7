"""Objects that are nested, large or of the wrong shape stop neither the operator nor the jobs of others."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from finscribe_core.api.v1alpha1 import State
from finscribe_core.constants import PLURAL
from tests.apiserver.eventually import eventually
from tests.apiserver.hostile_objects import Hostile, build_hostile_objects, create, states
from tests.apiserver.installation import ROOT
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.test_life import RESULT
from tests.apiserver.workspace import Workspace, build_job
from tools.kube.apiserver import ApiServer

CRD = ROOT / "crds" / "finscribe.io_finetunejobs.yaml"
MINUTES = 60.0


@pytest.fixture
def other_team(server: ApiServer, api: Any) -> Iterator[Workspace]:
    """A second namespace."""
    server.kubectl("create", "namespace", "other-team")
    yield Workspace(server, "other-team", api)
    server.kubectl("delete", "namespace", "other-team", "--wait=false")


def test_hostile_objects_harm_no_other_job(
    server: ApiServer, operator: OperatorProcess, workspace: Workspace, other_team: Workspace
):
    other_team.apply(build_job())
    pod = other_team.await_pod()
    other_team.kubelet.report_running(pod)
    watching = operator.pid

    with older_crd(server):
        accepted = {
            name: hostile
            for name, hostile in build_hostile_objects().items()
            if create(workspace, hostile, server.folder)
        }
        assert len(accepted) >= 50
        eventually(lambda: _as_expected(workspace, accepted), within=2 * MINUTES)
    assert operator.pid == watching

    operator.kill()  # the next one finds them all in its first listing
    operator.start()
    other_team.kubelet.report_succeeded(pod, RESULT)

    other_team.await_condition("Complete", "True")
    # The schema prunes an unknown field, after which these jobs are valid.
    unchanged = {name: hostile for name, hostile in accepted.items() if not name.startswith("unknown-field")}
    eventually(lambda: _as_expected(workspace, unchanged))
    eventually(lambda: operator.metric("finscribe_operator_objects_refused_total") >= 10)
    assert operator.metric('finscribe_operator_reconcile_total{result="error"}') == 0
    assert workspace.job("kopf-finalizer")["metadata"]["finalizers"]
    workspace.kubectl(
        "patch", PLURAL, "kopf-finalizer", "--type=merge", '--patch={"metadata":{"finalizers":null}}'
    )


def test_the_schema_refuses_nested_overrides(workspace: Workspace, server: ApiServer):
    hostile = build_hostile_objects()
    nested = [name for name in hostile if name.startswith("override-of")]

    assert len(nested) >= 9
    refused = [name for name in nested if not create(workspace, hostile[name], server.folder)]
    # Their paths are for the operator to refuse: CEL can't read them.
    assert set(nested) - set(refused) == {
        "override-of-a-long-path",
        "override-of-the-output",
        "override-of-an-unknown-field",
    }


@contextmanager
def older_crd(server: ApiServer) -> Iterator[None]:
    """The CRD without any limits, as if the objects had been created before there were some."""
    crd = yaml.safe_load(CRD.read_text())
    keep = {"x-kubernetes-preserve-unknown-fields": True}
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = {
        "type": "object",
        "properties": {"spec": keep, "status": {"type": "object", **keep}},
    }
    server.kubectl("replace", "--filename=-", stdin=json.dumps(crd))
    try:
        eventually(lambda: _accepts_anything(server), what="the CRD without limits is in force")
        yield
    finally:
        server.kubectl("replace", f"--filename={CRD}")
        eventually(lambda: not _accepts_anything(server), what="the CRD is in force again")


def _accepts_anything(server: ApiServer) -> bool:
    job = build_job("anything", method="anything")
    return server.try_kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(job)).returncode == 0


def _as_expected(workspace: Workspace, accepted: dict[str, Hostile]) -> bool:
    found = states(workspace)
    assert found.keys() >= accepted.keys()
    wrong = {
        name: found[name]
        for name, hostile in accepted.items()
        if (found[name] == State.Invalid) != hostile.invalid or found[name] == "<none>"
    }
    assert not wrong, wrong
    return True
