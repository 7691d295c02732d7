"""Two replicas with a real Lease: what the one that does not lead sends. `test_sweeps.py` has failovers."""

import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from finscribe_core.constants import EXIT_USER_ERROR
from finscribe_core.report import RunResult
from finscribe_operator.controller import RETRY_SECONDS, SETTLE_SECONDS
from tests.apiserver.eventually import eventually
from tests.apiserver.faulty_proxy import Fault, Faults
from tests.apiserver.operator_process import OperatorProcess
from tests.apiserver.workspace import build_job
from tests.sweeps.environment import SHORT, Environment, running_environment

SETTINGS = {"leader_election": SHORT.election}
QUIET_SECONDS = RETRY_SECONDS + SETTLE_SECONDS + 1.5
"""Each replica lists once more so long after it has begun to watch, or to lead."""
REST_SECONDS = 10.0
TAKEOVER_SECONDS = 5.0
"""From the signal that stops a leader, whose process ends within three seconds."""


@pytest.fixture(scope="module")
def environment() -> Iterator[Environment]:
    """An API server of this file: no other operator may work there."""
    with running_environment(SHORT) as running:
        yield running


def count_requests(operator: OperatorProcess, *, for_leases: bool) -> float:
    """Requests of a replica to the API server so far, watches excepted."""
    with urllib.request.urlopen(f"http://127.0.0.1:{operator.metrics_port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    requests = [line for line in lines if line.startswith("finscribe_operator_api_requests_total{")]
    chosen = [line for line in requests if ('kind="leases"' in line) == for_leases]
    return sum(float(line.rpartition(" ")[2]) for line in chosen)


def test_two_replicas_at_rest_send_nothing_but_requests_for_the_lease(environment: Environment):
    with (
        environment.workspace() as workspace,
        environment.operator(pod="one", settings=SETTINGS) as one,
        environment.operator(pod="two", settings=SETTINGS) as two,
    ):
        for name in ("finished", "running"):
            workspace.apply(build_job(name))
            workspace.kubelet.report_running(workspace.await_pod(name))
        workspace.kubelet.report_succeeded(workspace.await_pod("finished"), RunResult(succeeded=True))
        workspace.await_condition("Complete", "True", name="finished")

        def count() -> float:
            return sum(count_requests(operator, for_leases=False) for operator in (one, two))

        def is_quiet() -> bool:
            before = count()
            time.sleep(QUIET_SECONDS)
            return count() == before

        eventually(is_quiet, within=60, what="nothing is left to do")
        before, renewals = count(), count_requests(one, for_leases=True)
        time.sleep(REST_SECONDS)

        assert count() == before
        assert count_requests(one, for_leases=True) > renewals
        assert one.leads() != two.leads()


def test_a_leader_that_was_frozen_writes_nothing_when_it_continues(environment: Environment):
    with (
        environment.workspace() as workspace,
        environment.proxy() as proxy,
        environment.operator(proxy, pod="one", settings=SETTINGS) as one,
    ):
        eventually(one.leads, what="the first replica leads")
        with environment.operator(pod="two", settings=SETTINGS) as two:
            proxy.faults = Faults(others=Fault.Stall, only="/jobs")
            workspace.apply(build_job())
            path = f"/apis/batch/v1/namespaces/{workspace.namespace}/jobs"
            eventually(lambda: ("POST", path) in proxy.requests, what="the Job is being created")
            one.send(signal.SIGSTOP)
            eventually(two.leads, what="the other replica leads")
            pod = workspace.await_pod()

            proxy.faults = Faults()
            proxy.drop_watches()  # the request fails, after which the status would be written
            sent = len(proxy.requests)
            one.send(signal.SIGCONT)
            eventually(lambda: not one.leads(), what="the first replica stands by")
            workspace.kubelet.report_succeeded(pod, RunResult(succeeded=True))
            workspace.await_condition("Complete", "True")

            writes = [(method, path) for method, path in proxy.requests[sent:] if method != "GET"]
            assert writes == []
            assert one.metric("finscribe_operator_leader_transitions_total") == 1
            assert two.leads()


def test_a_changed_configuration_is_taken_over_by_the_next_replica_and_disturbs_nothing(
    environment: Environment, tmp_path: Path
):
    with (
        environment.workspace() as workspace,
        environment.operator(pod="old", settings=SETTINGS) as old,
    ):
        eventually(old.leads)
        workspace.apply(build_job("running"))
        pod = workspace.await_pod("running")
        workspace.kubelet.report_running(pod)
        workspace.await_condition("Running", "True", name="running")
        invalid = OperatorProcess(tmp_path, environment.account, {"limits": {"gpu": 1}}, pod="invalid")
        invalid.start(wait=False)
        assert invalid.exit_code() == EXIT_USER_ERROR and "limits.gpu" in invalid.log.read_text()
        assert old.leads()

        with environment.operator(pod="new", settings=SETTINGS | {"limits": {"gpus": 1}}) as new:
            assert not new.leads()
            began = time.monotonic()
            old.stop()
            eventually(new.leads)
            assert time.monotonic() - began < TAKEOVER_SECONDS
            workspace.apply(build_job("large", resources={"gpus": 2}))
            message = workspace.await_condition("Accepted", "False", name="large")
            assert "gpus (1)" in message

            workspace.kubelet.report_succeeded(pod, RunResult(succeeded=True))
            workspace.await_condition("Complete", "True", name="running")
            run = workspace.status("running").run
            assert run is not None and run.attempts == 1
