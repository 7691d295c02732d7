"""Lists the scenarios: what they measure, how many jobs they have, and what they show."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from benchmarks.operator.candidates import Candidate
from benchmarks.operator.figures import Figures
from benchmarks.operator.scenarios import api_server_cost, burst, idle, life, progress, restart, sequential


@dataclass(frozen=True)
class Scenario:
    """What is measured."""

    name: str
    jobs: int
    measure: Callable[[Candidate, int], Coroutine[Any, Any, Figures]]
    title: str
    with_peers: bool = False
    """Whether Kubeflow Trainer and JobSet are measured, too, in turns."""


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("api-server-cost", 200, api_server_cost.measure, "Single requests, one after another"),
        Scenario("sequential", 30, sequential.measure, "One job after another", with_peers=True),
        Scenario("burst-100", 100, burst.measure, "Burst of 100", with_peers=True),
        Scenario("burst-500", 500, burst.measure, "Burst of 500"),
        Scenario("burst-1000", 1000, burst.measure, "Burst of 1,000", with_peers=True),
        Scenario("life", 30, life.measure, "Lives, on a fake node"),
        Scenario("progress", 500, progress.measure, "500 runs that train"),
        Scenario("idle", 1000, idle.measure, "1,000 completed jobs, and nothing to do"),
        Scenario("restart", 5000, restart.measure, "Burst of 5,000, then a restart of the operator"),
    )
}
