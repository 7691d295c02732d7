"""Sweeps in which requests, watches, processes or rights fail while a burst of jobs is worked on."""

import signal
import time
from collections.abc import Callable
from itertools import pairwise

from tests.apiserver.faulty_proxy import Fault, Faults, FaultyProxy
from tests.apiserver.operator_process import OperatorProcess
from tests.sweeps.burst import Burst
from tests.sweeps.counts import Counts
from tests.sweeps.environment import Environment

FAULTS: tuple[Fault | int, ...] = (
    *(409, 422, 429, 500, 503, 504),
    *(Fault.Reset, Fault.ResetAfterwards, Fault.Cut, Fault.Truncate),
)
SHARE = 0.2
"""Of all requests."""
ONE_HANGS_AMONG = 10
"""So many times as often as a request hangs, each other fault occurs."""
WATCH_TIMEOUT_SECONDS = 5.0
"""In place of minutes, so that silent watches are noticed during the sweep."""
RESYNC_SECONDS = 60.0
"""In place of 10 minutes: a run whose objects were refused (422) is created after the next listing only."""
NUM_KILLS = 3


def fail_requests(environment: Environment) -> Counts:
    """A fifth of the operator's requests fails."""
    scale = environment.scale
    with environment.workspace() as workspace, environment.proxy() as proxy:
        burst = Burst(workspace, environment.mix())
        settings = {"resync_interval_seconds": RESYNC_SECONDS}
        with environment.operator(proxy, settings=settings) as operator, burst.playing():
            hanging = (Fault.Stall,) if scale.bound > 100 else ()
            choice = (*FAULTS * ONE_HANGS_AMONG, *hanging)
            proxy.faults = Faults(watches=FAULTS, watch_share=SHARE, others=choice, share=SHARE)
            burst.wait(burst.is_settled, 4 * scale.seconds)
            proxy.faults = Faults()
            return environment.judge(burst, operator, faults=proxy.num_faults)


def drop_watches(environment: Environment) -> Counts:
    """All watches end, again and again."""

    def disturb(burst: Burst, proxy: FaultyProxy, operator: OperatorProcess) -> None:
        deadline = time.monotonic() + environment.scale.seconds
        while time.monotonic() < deadline:
            time.sleep(environment.rng.uniform(0.05, 2.0))
            proxy.drop_watches()
            proxy.num_faults += 1

    return _disturb_watches(environment, disturb)


def stall_watches(environment: Environment) -> Counts:
    """All watches are accepted, and deliver nothing."""
    return _stall(environment, only="")


def stall_pod_watches(environment: Environment) -> Counts:
    """The pods' watch delivers nothing; that of the Jobs goes on."""
    return _stall(environment, only="/pods")


def _stall(environment: Environment, only: str) -> Counts:
    scale = environment.scale

    def disturb(burst: Burst, proxy: FaultyProxy, operator: OperatorProcess) -> None:
        def is_settled() -> bool:
            _restart_if_unhealthy(operator)
            return burst.is_settled()

        proxy.faults = Faults(watches=Fault.StallAfterHeaders, only=only)
        proxy.drop_watches()
        burst.wait(is_settled, scale.seconds)
        proxy.faults = Faults()  # those that are silent stay so
        burst.wait(is_settled, scale.bound)

    return _disturb_watches(environment, disturb)


def _restart_if_unhealthy(operator: OperatorProcess) -> None:
    """Do what a kubelet does after the liveness probe has failed."""
    if operator.health()[0] == 503:
        operator.kill(signal.SIGTERM)
        operator.start()


def _disturb_watches(
    environment: Environment, disturb: Callable[[Burst, FaultyProxy, OperatorProcess], None]
) -> Counts:
    settings = {"watch_timeout_seconds": WATCH_TIMEOUT_SECONDS}
    with environment.workspace() as workspace, environment.proxy() as proxy:
        burst = Burst(workspace, environment.mix())
        with environment.operator(proxy, settings=settings) as operator, burst.playing():
            disturb(burst, proxy, operator)
            return environment.judge(burst, operator, faults=proxy.num_faults)


def kill_operator(environment: Environment) -> Counts:
    """The operator is killed, and started again."""

    def kill(operator: OperatorProcess) -> None:
        operator.kill()
        operator.start()

    return _kill(environment, kill)


def kill_api_server(environment: Environment) -> Counts:
    """The API server is killed, and started again."""
    return _kill_part(environment, "kube-apiserver")


def kill_etcd(environment: Environment) -> Counts:
    """The etcd is killed, and started again."""
    return _kill_part(environment, "etcd")


def kill_controller_manager(environment: Environment) -> Counts:
    """The controller manager is killed, and started again."""
    return _kill_part(environment, "kube-controller-manager")


def _kill_part(environment: Environment, part: str) -> Counts:
    def kill(operator: OperatorProcess) -> None:
        environment.server.stop(part, sig=signal.SIGKILL)
        environment.server.start(part)

    return _kill(environment, kill)


def _kill(environment: Environment, kill: Callable[[OperatorProcess], None]) -> Counts:
    """Kill at random times of a burst."""
    scale = environment.scale
    with environment.workspace() as workspace:
        burst = Burst(workspace, environment.mix())
        with environment.operator() as operator, burst.playing():
            times = sorted(environment.rng.uniform(0.1, scale.seconds / 2) for _ in range(NUM_KILLS))
            for before, at in pairwise([0.0, *times]):
                time.sleep(at - before)
                kill(operator)
            return environment.judge(burst, operator, faults=NUM_KILLS)


def take_rights(environment: Environment) -> Counts:
    """The operator's ClusterRoleBinding is deleted, and created again."""
    server, scale = environment.server, environment.scale
    selector = "--selector=app.kubernetes.io/name"
    manifest = server.kubectl("get", "clusterrolebindings", selector, "--output=yaml")
    with environment.workspace() as workspace:
        burst = Burst(workspace, environment.mix())
        with environment.operator() as operator, burst.playing():
            time.sleep(environment.rng.uniform(0.5, 2.0))
            server.kubectl("delete", "clusterrolebindings", selector)
            try:
                time.sleep(scale.seconds)
            finally:
                server.kubectl("create", "--filename=-", stdin=manifest)
            return environment.judge(burst, operator, faults=1)
