"""At each stage of a job's life, Argo CD, kstatus and kubectl show what the operator means."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from finscribe_operator.status import build_status
from tests.apiserver.installation import ROOT
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.stages import LIVES, Life, view
from tests.apiserver.workspace import Workspace
from tests.support.argocd import SCRIPT, health
from tests.support.gitops_states import GITOPS_STATES, UNREAD
from tests.support.kstatus import kstatus
from tests.unit.docs.pages import ALL
from tests.unit.operator import test_activity, test_status
from tests.unit.operator.builders import NOW, a_batch_job, a_job
from tools.kube.apiserver import ApiServer
from tools.kube.binaries import provide

RUN = [ARGO_CD] = [line for line in ALL["docs/gitops.md"].tested_commands if "argocd-cm" in line]
GOLDEN = Path(__file__).with_name("stages.yaml")


@pytest.mark.parametrize("lead", LIVES, ids=lambda lead: lead.__name__)
def test_every_tool_shows_each_stage_exactly_as_expected(
    lead, workspace: Workspace, operator: OperatorProcess
):
    life = Life(workspace, operator)
    seen, wrong = {}, {}
    for stage in lead(life):
        shown = view(life)
        seen[stage] = shown.to_text()
        expected = UNREAD if shown.is_unread else GITOPS_STATES[shown.state]
        if (shown.argo[0], shown.kstatus[0]) != expected or shown.difference:
            wrong[stage] = shown

    golden = yaml.safe_load(GOLDEN.read_text()) if GOLDEN.exists() else {}
    if os.environ.get("UPDATE_GOLDEN"):
        golden[lead.__name__] = seen
        GOLDEN.write_text(yaml.safe_dump(golden, sort_keys=False, width=110))
    assert wrong == {}
    assert seen == golden[lead.__name__]


MANIFESTS = [ROOT / "examples/finetunejob.yaml", ROOT / "tests/golden/everything_set/input.yaml"]


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize("way", ["--server-side=false", "--server-side"])
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.parent.name)
def test_no_field_of_a_job_differs_from_its_file_once_the_operator_has_read_it(
    path: Path, way: str, workspace: Workspace
):
    text = re.sub(r", namespace: [\w-]+}", "}", path.read_text())
    workspace.kubectl("apply", way, "--filename=-", stdin=text)
    name = workspace.jobs()[0]["metadata"]["name"]
    workspace.await_condition("Reconciling", "True", name=name)

    diff = workspace.try_kubectl("diff", way, "--filename=-", stdin=text)

    assert (diff.returncode, diff.stdout) == (0, "")


def test_the_command_of_the_gitops_page_adds_the_health_check_to_the_settings_of_argo_cd(server: ApiServer):
    server.try_kubectl("create", "namespace", "argocd")  # other tests have one, too
    server.kubectl(
        "create", "configmap", "argocd-cm", "--namespace=argocd", "--from-literal=url=https://argo"
    )
    folder = provide(["kubectl"])["kubectl"].parent
    env = os.environ | {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "KUBECONFIG": str(server.kubeconfig),
    }

    subprocess.run(["bash", "-e", "-o", "pipefail", "-c", ARGO_CD], cwd=ROOT, env=env, check=True)

    data = json.loads(server.kubectl("get", "cm", "argocd-cm", "--namespace=argocd", "--output=json"))["data"]
    key = "resource.customizations.health.finscribe.io_FineTuneJob"
    assert data == {"url": "https://argo", key: SCRIPT.read_text()}


def test_argo_cd_and_kstatus_agree_with_the_state_in_every_unit_test_of_the_status():
    statuses = {name: test_activity.status_of(case) for name, case in test_activity.CASES.items()}
    for name, case in test_status.CASES.items():
        objects = (case.job or test_status.JOB, case.batch or a_batch_job(test_status.RUN), *case.pods)
        statuses[name] = build_status(test_status.observed(*objects), NOW)
    jobs = {name: a_job(status=status.to_kubernetes()) for name, status in statuses.items()}

    computed = dict(zip(jobs, kstatus(*jobs.values()), strict=True))
    shown = {name: (health(job)[0], computed[name][0]) for name, job in jobs.items()}

    assert shown == {name: GITOPS_STATES[status.summary.state] for name, status in statuses.items()}
