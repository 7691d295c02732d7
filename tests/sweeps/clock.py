"""A sweep with an operator whose clock is days off: all times in statuses and Events are the server's."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from finscribe_core.constants import KIND
from tests.apiserver.other_clock import ENV_SECONDS
from tests.sweeps.burst import Burst
from tests.sweeps.counts import Counts
from tests.sweeps.environment import Environment

THREE_DAYS = 3 * 24 * 3600
TOLERANCE = timedelta(seconds=2)


def slow_clock(environment: Environment) -> Counts:
    """The operator's clock is three days slow."""
    return _with_clock(environment, -THREE_DAYS)


def fast_clock(environment: Environment) -> Counts:
    """The operator's clock is three days fast."""
    return _with_clock(environment, THREE_DAYS)


def _with_clock(environment: Environment, seconds: int) -> Counts:
    env = {ENV_SECONDS: str(seconds)}
    with environment.workspace() as workspace:
        burst = Burst(workspace, environment.mix())
        began = _server_time(burst, "began")
        with environment.operator(module="tests.apiserver.other_clock", env=env) as operator, burst.playing():
            counts = environment.judge(burst, operator)
        ended = _server_time(burst, "ended")
        for what, time in _times(burst):
            if not began - TOLERANCE <= time <= ended + TOLERANCE:
                counts.defects += 1
                counts.evidence.append(f"defect: {what} is {time}, between {began} and {ended} expected")
    return counts


def _server_time(burst: Burst, name: str) -> datetime:
    workspace = burst.workspace
    created = workspace.core.create_namespaced_config_map(workspace.namespace, {"metadata": {"name": name}})
    return created.metadata.creation_timestamp


def _times(burst: Burst) -> Iterator[tuple[str, datetime]]:
    """Every time in statuses and Events, with what it is."""
    for name, status in burst.statuses().items():
        for condition in status.conditions:
            yield f"{name}: {condition.type}", datetime.fromisoformat(condition.last_transition_time)
        for run in (*status.runs, *([status.run] if status.run else [])):
            for time in filter(None, (run.start_time, run.completion_time)):
                yield f"{name}: {run.name}", datetime.fromisoformat(time)
    for event in burst.workspace.core.list_namespaced_event(burst.workspace.namespace).items:
        if event.involved_object.kind == KIND:
            yield f"{event.involved_object.name}: Event {event.reason}", event.last_timestamp
