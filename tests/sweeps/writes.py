"""Sweeps in which the operator is killed at every single write of the lives of some jobs."""

import signal
import time

from tests.apiserver.faulty_proxy import Killing
from tests.apiserver.operator_process import OperatorProcess
from tests.sweeps.burst import CHANGED_AFTER_THE_END, Burst
from tests.sweeps.counts import Counts
from tests.sweeps.environment import Environment

WAIT_SECONDS = 0.1
SETTLE_SECONDS = 4.0
"""After the last start and the end of all jobs, within which the last writes are expected."""
BOUND_SECONDS = 900.0
"""For all kills."""


def kill_after_each(environment: Environment) -> Counts:
    """The API server does what was written, and the operator is killed before it learns of that."""
    return _kill_at_writes(environment, before=False)


def kill_before_each(environment: Environment) -> Counts:
    """The operator is killed when it sends a write, which never arrives."""
    return _kill_at_writes(environment, before=True)


def _kill_at_writes(environment: Environment, *, before: bool) -> Counts:
    scale = environment.scale
    with environment.workspace() as workspace, environment.proxy() as proxy:
        burst = Burst(workspace, [*scale.kinds, *CHANGED_AFTER_THE_END])
        with environment.operator(proxy) as operator, burst.playing():
            killing = Killing(lambda: operator.send(signal.SIGKILL), before=before, limit=scale.kills)
            proxy.killing = killing
            _restart_until_settled(killing, operator, burst)
            proxy.killing = None
            return environment.judge(burst, operator, faults=killing.num_kills)


def _restart_until_settled(killing: Killing, operator: OperatorProcess, burst: Burst) -> None:
    """Start the operator again after each kill, until all jobs have ended and no kill follows."""
    deadline = time.monotonic() + BOUND_SECONDS
    settled_since: float | None = None
    while time.monotonic() < deadline:
        if not operator.is_running:
            operator.kill()
            killing.revive()
            operator.start(wait=False)
            settled_since = None
        elif not burst.wait(burst.is_settled, WAIT_SECONDS):
            settled_since = None
        elif settled_since is None:
            settled_since = time.monotonic()
        elif time.monotonic() - settled_since > SETTLE_SECONDS:
            return
        time.sleep(WAIT_SECONDS)
