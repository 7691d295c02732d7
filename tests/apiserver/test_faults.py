"""The API server fails, forgets, or refuses: the operator survives, serves again, and says what is wrong."""

import itertools
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from kubernetes import client

from finscribe_core.report import RunResult
from tests.apiserver.eventually import eventually
from tests.apiserver.faulty_proxy import Fault, Faults, FaultyProxy, faulty_proxy
from tests.apiserver.installation import ROOT, install_account
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.other_clock import ENV_SECONDS
from tests.apiserver.workspace import Workspace, build_job, open_workspace
from tools.kube.apiserver import ApiServer, running_api_server

CRD = next((ROOT / "crds").glob("finscribe.io_*.yaml"))
THREE_DAYS = 3 * 24 * 3600
IN_TIME = 20.0
"""Seconds within which SIGTERM ends the operator; it forces its end after 10."""


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[ApiServer]:
    """An API server of this file: these tests break it, and no other operator may serve it."""
    with running_api_server([CRD], keep_logs=lambda: request.session.testsfailed > 0) as running:
        yield running


@pytest.fixture(scope="module")
def account(server: ApiServer) -> Path:
    return install_account(server)


@pytest.fixture
def proxy(server: ApiServer) -> Iterator[FaultyProxy]:
    with faulty_proxy(server) as running:
        yield running


@contextmanager
def running(operator: OperatorProcess, *, wait: bool = True) -> Iterator[OperatorProcess]:
    """The started operator; its log is printed when the test fails."""
    try:
        operator.start(wait=wait)
        yield operator
        assert operator.is_running
    except BaseException:
        sys.stdout.write(operator.log.read_text()[-20_000:])
        raise
    finally:
        if operator.is_running:
            operator.kill()


def serves(workspace: Workspace, name: str) -> None:
    workspace.apply(build_job(name))
    eventually(lambda: workspace.pods(name), within=60, what=f"a pod of {name}")


WATCH_FAULTS = {
    "forbidden": 403,
    "a failing server": 500,
    "expired": 410,
    "an unknown kind": 404,
    "unauthorized": 401,
    "reset": Fault.Reset,
    "cut": Fault.Cut,
    "stalled": Fault.Stall,
}


@pytest.mark.parametrize("fault", WATCH_FAULTS.values(), ids=WATCH_FAULTS.keys())
def test_jobs_are_served_while_watches_fail_and_sigterm_ends_the_process_in_time(
    workspace: Workspace, proxy: FaultyProxy, account: Path, tmp_path: Path, fault: Fault | int
):
    operator = OperatorProcess(tmp_path, proxy.kubeconfig(account))
    with running(operator):
        proxy.faults.watches = fault
        proxy.drop_watches()
        serves(workspace, "while-they-fail")
        assert operator.health()[0] == 200

        proxy.faults = Faults()
        proxy.drop_watches()
        serves(workspace, "afterwards")
        proxy.faults.watches = fault
        proxy.drop_watches()
        assert operator.kill(signal.SIGTERM, within=IN_TIME) == 0
        operator.start()


START_FAULTS = {
    "an unavailable server": 503,
    "an expired page": 410,
    "forbidden": 403,
    "unauthorized": 401,
    "an unknown kind": 404,
    "a cut body": Fault.Cut,
    "reset": Fault.Reset,
}


@pytest.mark.parametrize("fault", START_FAULTS.values(), ids=START_FAULTS.keys())
def test_an_operator_starts_when_some_requests_fail(
    workspace: Workspace, proxy: FaultyProxy, account: Path, tmp_path: Path, fault: Fault | int
):
    proxy.faults.others, proxy.faults.share = fault, 0.3
    with running(OperatorProcess(tmp_path, proxy.kubeconfig(account))):
        serves(workspace, "invoices")
        assert proxy.num_faults > 0


def test_an_operator_waits_for_an_api_server_that_refuses_connections(
    workspace: Workspace, proxy: FaultyProxy, account: Path, tmp_path: Path
):
    proxy.refuse()
    operator = OperatorProcess(tmp_path, proxy.kubeconfig(account), {"watch_timeout_seconds": 2})
    with running(operator, wait=False):
        eventually(lambda: "will retry" in operator.log.read_text(), what="a line about it in the log")
        assert operator.health()[0] == 200
        assert operator.health("/readyz")[0] == 503
        proxy.accept()
        operator.await_ready()
        serves(workspace, "at-first")

        proxy.refuse()
        eventually(lambda: _oldest_watch(operator) > 6, what="watches are silent")
        assert operator.health()[0] == 200, "a restart would not help"
        proxy.accept()
        serves(workspace, "later")

        proxy.refuse()
        assert operator.kill(signal.SIGTERM, within=IN_TIME) == 0
        operator.start(wait=False)
        eventually(lambda: operator.health()[0] == 200)
        assert operator.kill(signal.SIGTERM, within=IN_TIME) == 0
        operator.start(wait=False)


def test_an_operator_that_fails_says_so_and_exits(account: Path, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        operator = OperatorProcess(tmp_path, account, {"health_port": taken.getsockname()[1]})
        operator.start(wait=False)
        assert operator.exit_code() == 1
    assert "The operator failed and exits" in operator.log.read_text()


@pytest.mark.parametrize("fault", [Fault.Stall, Fault.StallAfterHeaders, 403])
def test_the_liveness_probe_fails_when_watches_deliver_nothing_although_listings_work(
    workspace: Workspace, proxy: FaultyProxy, account: Path, tmp_path: Path, fault: Fault | int
):
    settings = {"watch_timeout_seconds": 2, "resync_interval_seconds": 1}
    operator = OperatorProcess(tmp_path, proxy.kubeconfig(account), settings)
    with running(operator):
        proxy.faults.watches = fault
        proxy.drop_watches()
        eventually(lambda: operator.health()[0] == 503, what="the liveness probe fails")
        assert "although listings work" in operator.health()[1]

        proxy.faults = Faults()
        proxy.drop_watches()
        numbers = itertools.count()

        def is_healthy_after_events() -> bool:
            serves(workspace, f"job-{next(numbers)}")
            assert operator.health() == (200, "ok\n")
            return True

        eventually(is_healthy_after_events, within=60)


def test_an_operator_survives_the_loss_of_its_rights_for_more_than_a_minute(
    workspace: Workspace, server: ApiServer, account: Path, tmp_path: Path
):
    operator = OperatorProcess(tmp_path, account)
    with running(operator):
        serves(workspace, "before")
        [binding] = server.kubectl("get", "clusterrolebindings", "-lapp.kubernetes.io/name", "-oname").split()
        manifest = server.kubectl("get", binding, "--output=yaml")
        server.kubectl("delete", binding)
        server.stop("kube-apiserver")  # open watches keep their rights
        server.start("kube-apiserver")
        workspace.apply(build_job("meanwhile"))
        eventually(lambda: _oldest_watch(operator) > 70, within=120, what="watches are refused")
        assert operator.health()[0] == 200
        server.kubectl("create", "--filename=-", stdin=manifest)
        eventually(lambda: workspace.pods("meanwhile"), what="the job is served")
        serves(workspace, "afterwards")


def test_jobs_are_served_after_the_crd_was_removed_and_applied_again(
    workspace: Workspace, server: ApiServer, account: Path, tmp_path: Path
):
    operator = OperatorProcess(tmp_path, account)
    with running(operator):
        serves(workspace, "before")
        server.kubectl("delete", f"--filename={CRD}")
        eventually(lambda: "HTTP 404" in operator.log.read_text(), what="the watch is refused")
        server.install_crd(CRD)
        serves(workspace, "after")
        workspace.kubelet.report_succeeded(workspace.await_pod("after"), RunResult(succeeded=True))
        workspace.await_condition("Complete", "True", name="after")


def test_a_missing_namespace_stops_no_other_and_is_served_as_soon_as_it_exists(
    server: ApiServer, api: client.ApiClient, tmp_path: Path
):
    values = ("operator.config.namespaces={team-a,team-b}",)
    unavailable = 'finscribe_operator_namespace_unavailable{namespace="team-b"}'
    with open_workspace(server, api, "team-a") as team_a:
        server.kubectl("create", "namespace", "team-b")
        account = install_account(server, *values, namespace="finscribe-teams")
        operator = OperatorProcess(tmp_path, account, {"namespaces": ["team-a", "team-b"]})
        with running(operator):
            assert operator.metric(unavailable) == 0
            server.kubectl("delete", "namespace", "team-b")
            serves(team_a, "after-the-deletion")
            operator.kill()
            operator.start()
            assert operator.metric(unavailable) == 1
            assert "team-b" in operator.log.read_text()
            serves(team_a, "after-a-restart")
            team_a.kubelet.report_succeeded(team_a.await_pod("after-a-restart"), RunResult(succeeded=True))
            team_a.await_condition("Complete", "True", name="after-a-restart")
            with open_workspace(server, api, "team-b") as team_b:
                install_account(server, *values, namespace="finscribe-teams")
                serves(team_b, "in-the-new-namespace")
                eventually(lambda: operator.metric(unavailable) == 0)
            assert operator.health()[0] == 200


def test_jobs_are_served_after_etcd_was_restored_to_an_older_state(
    workspace: Workspace, server: ApiServer, account: Path, tmp_path: Path
):
    operator = OperatorProcess(tmp_path, account)
    with running(operator):
        serves(workspace, "kept")
        serves(workspace, "deleted")
        server.stop()
        shutil.copytree(server.etcd_data, tmp_path / "backup")
        server.start()

        serves(workspace, "lost")
        workspace.kubelet.report_succeeded(workspace.await_pod("kept"), RunResult(succeeded=True))
        workspace.await_condition("Complete", "True", name="kept")
        workspace.delete("deleted")
        eventually(lambda: not workspace.pods("deleted"))
        for number in range(300):  # so many versions that the restored state does not reach them soon
            workspace.change({"metadata": {"annotations": {"number": str(number)}}}, "lost")
        server.stop(sig=signal.SIGKILL)
        shutil.rmtree(server.etcd_data)
        shutil.copytree(tmp_path / "backup", server.etcd_data)
        server.start()

        serves(workspace, "new")
        assert [job["metadata"]["name"] for job in workspace.jobs()] == ["deleted", "kept", "new"]
        for name in ("kept", "deleted", "new"):
            workspace.kubelet.report_succeeded(workspace.await_pod(name), RunResult(succeeded=True))
            workspace.await_condition("Complete", "True", name=name)
        assert operator.metric("finscribe_operator_cache_rebuilds_total") >= 1


@pytest.mark.parametrize("seconds", [-THREE_DAYS, THREE_DAYS])
def test_times_in_status_are_those_of_the_api_server_whatever_the_operators_clock(
    workspace: Workspace, account: Path, tmp_path: Path, seconds: int
):
    env = {ENV_SECONDS: str(seconds)}
    with running(OperatorProcess(tmp_path, account, module="tests.apiserver.other_clock", env=env)):
        serves(workspace, "invoices")
        workspace.kubelet.report_succeeded(workspace.await_pod(), RunResult(succeeded=True))
        workspace.await_condition("Complete", "True")
        workspace.change({"spec": {"lora": {"r": 8}}})
        eventually(lambda: workspace.status().runs, what="a record of the first run")

        created = workspace.job()["metadata"]["creationTimestamp"]
        now = workspace.core.create_namespaced_config_map(
            workspace.namespace, {"metadata": {"name": "now"}}
        ).metadata.creation_timestamp
        status = workspace.status()
        times = {f"{c.type}": c.last_transition_time for c in status.conditions}
        times |= {record.name: record.completion_time for record in status.runs}
        for event in workspace.core.list_namespaced_event(workspace.namespace).items:
            if event.involved_object.kind == "FineTuneJob":
                times[event.reason] = event.last_timestamp.strftime("%Y-%m-%dT%H:%M:%SZ")
        earliest, latest = _shifted(created, -2), _shifted(now.strftime("%Y-%m-%dT%H:%M:%SZ"), 2)
        assert {name: time for name, time in times.items() if not earliest <= time <= latest} == {}


def _oldest_watch(operator: OperatorProcess) -> float:
    names = [f'resource="{resource}"' for resource in ("finetunejobs", "jobs", "pods")]
    metric = "finscribe_operator_watch_age_seconds"
    return max(operator.metric(f'{metric}{{namespace="",{name}}}') for name in names)


def _shifted(text: str, seconds: int) -> str:
    time = datetime.fromisoformat(text) + timedelta(seconds=seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
