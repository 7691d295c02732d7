"""Jobs in a queue of the real Kueue: admitted in order, preempted, suspended; nobody fights over it."""

import os
import time
from collections.abc import Iterator

import pytest

from finscribe_core.api.conditions import Reason
from finscribe_core.constants import EXIT_RETRY, LABEL_QUEUE
from finscribe_core.report import Outputs, RunResult
from tests.apiserver.audited_jobs import POLICY, JobWrite, read_job_writes
from tests.apiserver.eventually import eventually
from tests.apiserver.installation import CRDS, ROOT, SYSTEM_NAMESPACE, install_account
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.workspace import Workspace, build_job
from tools.kube.apiserver import ApiServer, running_api_server
from tools.kube.kueue import find_crds, running_kueue

pytestmark = pytest.mark.kueue
QUIET_SECONDS = float(os.environ.get("QUEUE_QUIET_SECONDS", "15"))
"""How long nothing may be written while nothing changes."""
QUEUES = ROOT / "examples" / "kueue.yaml"
RUN = ["kubectl apply -f examples/kueue.yaml"]
"""Commands of pages that a test runs, for a namespace of its own."""
OPERATOR = f"system:serviceaccount:{SYSTEM_NAMESPACE}:"


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[ApiServer]:
    """An API server of this file, with Kueue."""
    with (
        running_api_server([*CRDS, *find_crds()], lambda: request.session.testsfailed > 0, POLICY) as running,
        running_kueue(running),
    ):
        yield running


@pytest.fixture(scope="module", autouse=True)
def operator(server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    process = OperatorProcess(tmp_path_factory.mktemp("operator"), install_account(server))
    process.start()
    yield
    process.stop()


@pytest.fixture
def team(workspace: Workspace) -> Workspace:
    """A namespace with the queue of the example."""
    workspace.kubectl(
        "apply", "--filename=-", stdin=QUEUES.read_text().replace("team-docs", workspace.namespace)
    )
    return workspace


def a_job(name: str, **spec: object) -> dict:
    return build_job(name, queueName="gpus", output={"uri": f"s3://team-models/{name}"}, **spec)


def start(team: Workspace, name: str, other_than: str = "") -> str:
    """Report the pod of an admitted job as running; returns its name."""
    pod = team.await_pod(name, other_than)
    team.kubelet.report_running(pod)
    team.await_condition("Running", "True", name=name)
    return pod


def stop(team: Workspace, name: str, pod: str) -> None:
    """Report that a pod that is being deleted has saved a checkpoint and ended."""
    eventually(lambda: pod not in [alive.metadata.name for alive in team.pods(name)])
    team.kubelet.report_stopped(pod, EXIT_RETRY)
    team.kubelet.remove(pod)


def succeed(team: Workspace, name: str, pod: str, resumed_from: str = "") -> None:
    result = RunResult(succeeded=True, resumed_from=resumed_from, outputs=Outputs(uri="s3://team-models/a"))
    team.kubelet.report_succeeded(pod, result)
    team.await_condition("Complete", "True", name=name)


def await_message(team: Workspace, name: str, reason: Reason, *words: str) -> None:
    """Wait until the Running condition has this reason, and its message these words."""

    def holds() -> bool:
        _, actual, message = team.condition("Running", name)
        assert actual == reason and all(text in message for text in words), f"{actual}: {message}"
        return True

    eventually(holds)


def await_next_second() -> None:
    """Kueue orders by times in seconds."""
    now = int(time.time())
    eventually(lambda: int(time.time()) > now)


def suspends(writes: list[JobWrite], name: str) -> list[tuple[bool, bool]]:
    """Of each write of `suspend` of a job's Jobs: its value, and whether the operator has made it."""
    ours = [write for write in writes if write.job == name and write.suspend is not None]
    return [(bool(write.suspend), write.user.startswith(OPERATOR)) for write in ours]


def test_three_jobs_share_the_quota_of_two_and_one_of_higher_priority_preempts(
    server: ApiServer, team: Workspace
):
    team.apply(a_job("first"))
    first = start(team, "first")
    await_next_second()
    team.apply(a_job("second"))
    second = start(team, "second")
    await_next_second()
    team.apply(a_job("third"))
    await_message(team, "third", Reason.Queued, "waits in the queue gpus", "insufficient unused quota for")
    assert team.batch_jobs("third")[0].spec.suspend is True

    team.apply(a_job("urgent", queuePriorityClass="urgent"))
    await_message(team, "second", Reason.Stopping, "Preempted to accommodate a workload")
    stop(team, "second", second)
    why = ("Preempted to accommodate a workload", "insufficient unused quota for")
    await_message(team, "second", Reason.Requeued, *why)
    assert "Requeued" in team.kubectl("get", "events", "--field-selector=involvedObject.name=second")
    urgent = start(team, "urgent")
    team.await_condition("Running", "False", Reason.Queued, "third")

    succeed(team, "urgent", urgent)
    second = start(team, "second", other_than=second)
    run = team.status("second").run
    assert run is not None and (run.attempts, run.failed_attempts) == (2, 0)

    before = read_job_writes(server.audit_log, team.namespace)
    time.sleep(QUIET_SECONDS)
    assert read_job_writes(server.audit_log, team.namespace) == before, "somebody fights"

    succeed(team, "second", second, resumed_from="checkpoint-40")
    third = start(team, "third")
    succeed(team, "third", third)
    succeed(team, "first", first)
    run = team.status("second").run
    assert run is not None and run.resumed_from == "checkpoint-40"
    writes = read_job_writes(server.audit_log, team.namespace)
    created, admitted, preempted = (True, True), (False, False), (True, False)
    for name in ("first", "third", "urgent"):
        assert suspends(writes, name) == [created, admitted]
    assert suspends(writes, "second") == [created, admitted, preempted, admitted]


def test_a_suspended_run_makes_room_in_the_queue_and_resumes_through_it(server: ApiServer, team: Workspace):
    team.apply(a_job("big", resources={"gpus": 2, "cpu": "1"}))
    pod = start(team, "big")
    team.apply(a_job("next", resources={"gpus": 2, "cpu": "1"}, suspend=True))
    team.await_condition("Suspended", "True", name="next")
    assert team.batch_jobs("next") == [], "Kueue would admit it before it can be made inactive"
    team.change({"spec": {"suspend": False}}, "next")
    team.await_condition("Running", "False", Reason.Queued, "next")

    team.change({"spec": {"suspend": True}}, "big")
    stop(team, "big", pod)
    eventually(lambda: team.job("big")["status"]["summary"]["state"] == "Suspended")
    other = start(team, "next")
    team.change({"spec": {"suspend": False}}, "big")
    await_message(team, "big", Reason.Queued, "insufficient unused quota for")
    succeed(team, "next", other)
    pod = start(team, "big", other_than=pod)

    workload = team.kubectl("get", "workloads", "--output=name").splitlines()[0].partition("/")[2]
    team.kubectl("patch", "workload", workload, "--type=merge", '--patch={"spec": {"active": false}}')
    stop(team, "big", pod)
    await_message(team, "big", Reason.Deactivated, f"Set spec.active of the Workload {workload} to true")
    team.kubectl("patch", "workload", workload, "--type=merge", '--patch={"spec": {"active": true}}')
    succeed(team, "big", start(team, "big", other_than=pod))
    writes = read_job_writes(server.audit_log, team.namespace)
    assert all(suspend for name in ("big", "next") for suspend, ours in suspends(writes, name) if ours)


def test_a_job_leaves_the_queue_with_its_name(team: Workspace):
    team.apply(a_job("waits", resources={"gpus": 3, "cpu": "1"}))
    await_message(team, "waits", Reason.Queued, "insufficient quota for")

    team.change({"spec": {"queueName": None}}, "waits")

    team.await_pod("waits")
    assert LABEL_QUEUE not in team.batch_jobs("waits")[0].metadata.labels


def test_a_queue_that_does_not_exist_is_named(team: Workspace):
    team.apply(build_job("lost", queueName="missing"))

    await_message(team, "lost", Reason.Queued, "LocalQueue missing doesn't exist")


def test_the_pods_of_a_run_on_several_nodes_are_admitted_together(team: Workspace):
    team.apply(a_job("single"))
    single = start(team, "single")
    team.apply(a_job("group", resources={"nodes": 2, "cpu": "1"}))
    await_message(team, "group", Reason.Queued, "insufficient unused quota for")
    assert team.pods("group") == [], "there is room for one of them"

    succeed(team, "single", single)
    eventually(lambda: len(team.pods("group")) == 2)
