"""The operator's permissions are minimal: in a whole life it uses each of them, and no others."""

import json
from collections.abc import Iterator

import pytest
from kubernetes import config

from finscribe_core.constants import EXIT_RETRY, GROUP, LABEL_JOB, LABEL_RUN, PLURAL
from finscribe_core.report import RunResult
from finscribe_operator.permissions import OWN_PERMISSIONS, PERMISSIONS
from finscribe_operator.workloads import LABEL_JOB_UID, WORKLOAD_API_VERSION, WORKLOAD_KIND
from tests.apiserver.eventually import eventually
from tests.apiserver.fake_kubelet import serving_progress
from tests.apiserver.installation import CRDS, RELEASE, SYSTEM_NAMESPACE, install_account
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.requests import POLICY, Request, read_forbidden, read_requests
from tests.apiserver.test_life import TRAINING
from tests.apiserver.workspace import Workspace, build_job, open_workspace
from tools.kube.apiserver import ApiServer, running_api_server
from tools.kube.kueue import find_crds

TEAM = "team-a"
NAME = f"{RELEASE}-operator"
ACCOUNT = f"system:serviceaccount:{SYSTEM_NAMESPACE}:{NAME}"
POLICIES = [{"namespaceSelector": {"tier": "small"}, "limits": {"gpus": 1}}]
FINALIZERS = (GROUP, f"{PLURAL}/finalizers", "update")
"""Used without a request of its own: the API server asks for it when a child names its owner."""
EXPERIMENT = {"name": "lower-rate", "overrides": {"training.learningRate": 1e-5}}
CHANGED = {"name": "lower-rate", "overrides": {"training.learningRate": 1e-6}}
REPORT = RunResult(succeeded=True)
ELECTION = {"lease_duration_seconds": 3, "renew_deadline_seconds": 2.0, "retry_period_seconds": 0.4}


@pytest.fixture(scope="module", params=[[], [TEAM]], ids=["in all namespaces", "in listed namespaces"])
def namespaces(request: pytest.FixtureRequest) -> list[str]:
    """What the operator's configuration lists."""
    return request.param


@pytest.fixture(scope="module")
def server(namespaces: list[str]) -> Iterator[ApiServer]:
    """An API server of this file, which logs all that the operator asks for."""
    with running_api_server([*CRDS, *find_crds("workloads")], audit_policy=POLICY) as running:
        yield running


@pytest.fixture(scope="module")
def workspace(server: ApiServer) -> Iterator[Workspace]:
    """The namespace in which the life was lived."""
    with (
        config.new_client_from_config(str(server.kubeconfig)) as api,
        open_workspace(server, api, TEAM) as opened,
    ):
        opened.core.patch_namespace(TEAM, {"metadata": {"labels": {"tier": "small"}}})
        yield opened


@pytest.fixture(scope="module")
def requests(
    server: ApiServer, workspace: Workspace, namespaces: list[str], tmp_path_factory: pytest.TempPathFactory
) -> set[Request]:
    """What an operator asked for in a whole life."""
    values = [f"operator.config.namespaces={{{','.join(namespaces)}}}"] if namespaces else []
    values.append("operator.config.policies[0].namespaceSelector.tier=small")
    account = install_account(server, *values)
    settings = {"namespaces": namespaces, "policies": POLICIES, "leader_election": ELECTION}
    operator = OperatorProcess(tmp_path_factory.mktemp("operator"), account, settings, pod="one")
    operator.start()
    try:
        live(workspace, operator)
    finally:
        operator.stop()
    return read_requests(server.audit_log)


def live(workspace: Workspace, operator: OperatorProcess) -> None:
    """Experiments, suspension, a retry, new training settings, repairs, a failover, the end and deletion."""
    kubelet = workspace.kubelet
    lose_lease(workspace, operator)
    suspend_in_queue(workspace)
    workspace.apply(build_job(experiments=[EXPERIMENT]))
    workspace.await_pod("invoices-lower-rate")
    workspace.change({"spec": {"experiments": [CHANGED]}})
    rate = ("training", "learningRate")
    eventually(lambda: workspace.job("invoices-lower-rate")["spec"][rate[0]][rate[1]] == 1e-6)
    workspace.change({"spec": {"experiments": None}})
    eventually(lambda: len(workspace.jobs()) == 1, what="the experiment is deleted")

    pod = workspace.await_pod()
    remove_labels(workspace)
    kubelet.warn(pod, "FailedMount", 'MountVolume.SetUp failed for volume "features": not found')
    kubelet.report_waiting(pod)
    eventually(lambda: "FailedMount" in workspace.condition("Running")[2])
    workspace.change({"spec": {"suspend": True}})
    eventually(lambda: not workspace.pods(), what="the pod is being deleted")
    kubelet.remove(pod)
    workspace.await_condition("Suspended", "True")
    workspace.change({"spec": {"suspend": False}})

    pod = workspace.await_pod(other_than=pod)
    kubelet.report_running(pod)
    kubelet.report_failed(pod, EXIT_RETRY, RunResult(succeeded=False).to_termination_message())
    pod = workspace.await_pod(other_than=pod)
    kubelet.report_running(pod)
    run = workspace.status().run.name
    workspace.change({"spec": {"lora": {"r": 8}}})
    eventually(lambda: workspace.status().run.name != run, what="another run replaces it")
    kubelet.remove(pod)

    pod = workspace.await_pod(other_than=pod)
    report = TRAINING.model_copy(update={"run": workspace.batch_jobs()[0].metadata.name})
    with serving_progress(kubelet.report_running(pod), report):
        eventually(lambda: workspace.table()[0][1] == "33%", what="its progress is shown")
    kubelet.report_succeeded(pod, REPORT)
    workspace.await_condition("Complete", "True")
    workspace.delete()
    eventually(lambda: not workspace.jobs())
    live_with_two_pods(workspace)


def live_with_two_pods(workspace: Workspace) -> None:
    """A run with several nodes, and another one that has no need of its Service."""
    workspace.apply(build_job(resources={"gpus": 0, "nodes": 2}))
    eventually(lambda: len(workspace.pods()) == 2, what="two pods")
    workspace.change({"spec": {"resources": {"nodes": None}}})
    services = workspace.core.list_namespaced_service
    eventually(lambda: not services(workspace.namespace).items, what="the Service is deleted")
    workspace.await_pod()
    workspace.delete()
    eventually(lambda: not workspace.jobs())


def lose_lease(workspace: Workspace, operator: OperatorProcess) -> None:
    """Delete the Lease, which the operator then creates again."""
    eventually(operator.leads, what="the operator leads")
    workspace.server.kubectl("delete", "lease", NAME, f"--namespace={SYSTEM_NAMESPACE}")
    leases = ("get", "lease", NAME, f"--namespace={SYSTEM_NAMESPACE}")
    eventually(lambda: workspace.server.try_kubectl(*leases).returncode == 0, what="the Lease is back")
    eventually(operator.leads, what="the operator leads again")


def suspend_in_queue(workspace: Workspace) -> None:
    """Suspend a run through its Workload, which Kueue would have made."""
    workspace.apply(build_job("queued", queueName="gpus"))
    (job,) = eventually(lambda: workspace.batch_jobs("queued"))
    container = {"name": "trainer", "image": "trainer"}
    pods = {"name": "main", "count": 1, "template": {"spec": {"containers": [container]}}}
    workload = {
        "apiVersion": WORKLOAD_API_VERSION,
        "kind": WORKLOAD_KIND,
        "metadata": {"name": "queued", "labels": {LABEL_JOB_UID: job.metadata.uid}},
        "spec": {"queueName": "gpus", "podSets": [pods]},
    }
    workspace.kubectl("apply", "--filename=-", stdin=json.dumps(workload))
    workspace.change({"spec": {"suspend": True}}, "queued")
    active = ("get", "workload", "queued", "--output=jsonpath={.spec.active}")
    eventually(lambda: workspace.kubectl(*active) == "false", what="the Workload is inactive")
    workspace.delete("queued")
    eventually(lambda: not workspace.jobs())


def remove_labels(workspace: Workspace) -> None:
    """Take its labels from the Job, which the operator then restores."""
    (job,) = workspace.batch_jobs()
    run = job.metadata.name
    workspace.kubectl("label", "job", run, f"{LABEL_JOB}-", f"{LABEL_RUN}-")
    eventually(lambda: [job.metadata.name for job in workspace.batch_jobs()] == [run])


def test_every_permission_is_used_and_no_other(requests: set[Request], server: ApiServer):
    granted = {
        (p.group, p.resource, verb, own, NAME if p.only_its_own else "")
        for permissions, own in ((PERMISSIONS, False), (OWN_PERMISSIONS, True))
        for p in permissions
        for verb in p.verbs
    }
    used = {(r.group, r.resource, r.verb, r.own_namespace, r.name) for r in requests}

    assert read_forbidden(server.audit_log) == []
    assert granted - used == {(*FINALIZERS, False, "")}
    assert used - granted == set()


@pytest.mark.usefixtures("requests")
def test_children_can_be_owned_only_with_the_permission_for_finalizers(
    server: ApiServer, workspace: Workspace, namespaces: list[str]
):
    role = ("role", NAME, f"--namespace={TEAM}") if namespaces else ("clusterrole", NAME)
    rules = json.loads(server.kubectl("get", *role, "--output=json"))["rules"]
    workspace.apply(build_job())
    job = workspace.job()["metadata"]
    owner = {"apiVersion": f"{GROUP}/v1alpha1", "kind": "FineTuneJob", "name": job["name"], "uid": job["uid"]}
    child = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "child", "ownerReferences": [{**owner, "blockOwnerDeletion": True}]},
    }

    def refusal() -> str:
        create = ("create", f"--as={ACCOUNT}", "--dry-run=server", "--filename=-")
        return workspace.try_kubectl(*create, stdin=json.dumps(child)).stderr

    assert refusal() == ""
    kept = [rule for rule in rules if rule["resources"] != [FINALIZERS[1]]]
    assert len(kept) == len(rules) - 1
    server.kubectl("patch", *role, "--type=merge", f"--patch={json.dumps({'rules': kept})}")
    eventually(lambda: "cannot set blockOwnerDeletion" in refusal())


@pytest.mark.parametrize("verb", ["get", "list", "watch", "create", "update", "patch", "delete"])
def test_the_operator_can_do_nothing_with_secrets(
    verb: str, server: ApiServer, requests: set[Request], workspace: Workspace
):
    for namespace in (TEAM, SYSTEM_NAMESPACE, "kube-system"):
        asked = server.try_kubectl(
            "auth", "can-i", verb, "secrets", f"--as={ACCOUNT}", f"--namespace={namespace}"
        )
        assert (asked.returncode, asked.stdout.strip()) == (1, "no")
    assert "secrets" not in {request.resource for request in requests}
