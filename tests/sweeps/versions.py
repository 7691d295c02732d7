"""Sweeps with an operator of another version: an upgrade, and two operators at once."""

from tests.apiserver.operator_process import OperatorProcess
from tests.sweeps.burst import Burst, Kind
from tests.sweeps.counts import Counts
from tests.sweeps.environment import Environment

FINISHED_FOR_EACH_RUNNING = 10
SETTLE_SECONDS = 60.0


def upgrade(environment: Environment) -> Counts:
    """An operator with other defaults takes over finished and running jobs, and starts nothing."""
    num_running = max(1, environment.scale.jobs * 2 // 5)
    num_finished = num_running * FINISHED_FOR_EACH_RUNNING
    with environment.workspace() as workspace:
        finished = Burst(workspace, [Kind.Plain] * num_finished, run_seconds=0)
        running = Burst(workspace, [Kind.Plain] * num_running, hold=True, prefix="run")
        with running.playing():
            with environment.operator(), finished.playing():
                finished.wait(finished.is_settled, environment.scale.bound)
                running.wait(running.are_running, environment.scale.bound)
            before = len(environment.find(running).created)
            with environment.operator(module="tests.support.other_defaults") as upgraded:
                burst_size = num_finished + num_running
                idle = running.wait(lambda: _has_reconciled(upgraded, burst_size), environment.scale.bound)
                after = len(environment.find(running).created)  # for any job of the namespace
                running.hold = False
                counts = environment.judge(running, upgraded)
                counts.add(environment.judge(finished))
        if after != before or not idle:
            counts.defects += 1
            counts.evidence.append(f"defect: {after - before} Jobs started by the upgrade; idle: {idle}")
    return counts


def _has_reconciled(operator: OperatorProcess, jobs: int) -> bool:
    """Whether an operator has seen this many jobs and has nothing left to do."""
    successes = operator.metric('finscribe_operator_reconcile_total{result="success"}')
    return successes >= jobs and operator.metric("finscribe_operator_queue_depth") == 0


def two_operators(environment: Environment) -> Counts:
    """Two operators, of which one has other words in its messages, serve the same jobs."""
    unchanged = (Kind.Plain, Kind.Failing, Kind.Retried, Kind.Suspended)
    kinds = [kind for kind in unchanged if kind in environment.scale.kinds]
    jobs = environment.scale.jobs
    with environment.workspace() as workspace:
        running = Burst(workspace, [Kind.Plain] * (jobs // 2), hold=True, prefix="run")
        burst = Burst(workspace, [kinds[number % len(kinds)] for number in range(jobs - jobs // 2)])
        with (
            environment.operator() as one,
            environment.operator(module="tests.sweeps.other_words") as other,
            burst.playing(),
            running.playing(),
        ):
            burst.wait(burst.is_settled, environment.scale.bound)
            running.wait(running.are_running, SETTLE_SECONDS)
            seconds = 6 * environment.scale.rest
            writes = environment.count_writes_at_rest(workspace, seconds)
            running.hold = False
            counts = environment.judge(running, one, other)
            counts.add(environment.judge(burst))
        if writes:
            counts.writes_at_rest += writes
            counts.evidence.append(f"writes at rest: {writes} in {seconds:.0f} s while jobs run")
    return counts
