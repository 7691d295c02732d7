"""A sweep with two replicas, of which the one that works is killed, stopped or frozen, again and again."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tests.apiserver.operator_process import OperatorProcess
from tests.sweeps.burst import Burst
from tests.sweeps.counts import Counts
from tests.sweeps.environment import Environment


@dataclass(frozen=True)
class Failover:
    """A way in which the replica that works is lost."""

    name: str
    takes_seconds: float
    """Within which the other one works: before a Lease that was not released is taken over, or soon after."""
    begin: Callable[[OperatorProcess], None]
    end: Callable[[OperatorProcess], None]
    """Makes it the one that stands by, when the other one works."""


def _restart(operator: OperatorProcess) -> None:
    operator.exit_code()
    operator.start(wait=False)


def _stands_by(operator: OperatorProcess) -> bool:
    return operator.health("/readyz")[0] == 200 and not operator.leads()


FAILOVERS = (
    Failover("killed", 20, lambda operator: operator.send(signal.SIGKILL), _restart),
    Failover(
        "frozen",
        20,
        lambda operator: operator.send(signal.SIGSTOP),
        lambda operator: operator.send(signal.SIGCONT),
    ),
    Failover("stopped", 10, lambda operator: operator.send(signal.SIGTERM), _restart),
)


def fail_over(environment: Environment) -> Counts:
    """Jobs are created all the time; shortly after some of them, the replica that works is lost."""
    scale, rng = environment.scale, environment.rng
    at_once = max(2, scale.jobs // 10)
    chosen = [FAILOVERS[number % len(FAILOVERS)] for number in range(scale.failovers)]
    rng.shuffle(chosen)
    kinds = [scale.kinds[number % len(scale.kinds)] for number in range(at_once * scale.failovers)]
    rng.shuffle(kinds)
    settings = {"leader_election": scale.election}
    late = []
    with environment.workspace() as workspace:
        burst = Burst(workspace, kinds)
        burst.held_back = len(kinds)
        with (
            environment.operator(pod="one", settings=settings) as one,
            environment.operator(pod="two", settings=settings) as two,
            burst.playing(),
        ):
            burst.wait(lambda: one.leads() or two.leads(), scale.bound)
            for failover in chosen:
                leader, other = (one, two) if one.leads() else (two, one)
                burst.held_back -= at_once
                time.sleep(rng.uniform(0.0, 2.0))
                since = time.monotonic()
                failover.begin(leader)
                if not burst.wait(other.leads, failover.takes_seconds):
                    burst.wait(other.leads, scale.bound)
                    late.append(f"defect: {failover.name}, taken over after {time.monotonic() - since:.0f} s")
                time.sleep(rng.uniform(0.0, 2.0))
                failover.end(leader)
                burst.wait(partial(_stands_by, leader), scale.bound)
            counts = environment.judge(burst, one, two, faults=len(chosen))
    counts.defects += len(late)
    counts.evidence += late
    return counts
