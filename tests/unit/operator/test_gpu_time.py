"""GPU seconds of a run, by the phases that its trainers report."""

import pytest

from finscribe_core.api.v1alpha1 import Goodput, RunStatus
from finscribe_core.report import COUNT_LIMIT, PhaseSeconds
from finscribe_operator.gpu_time import count_gpu_seconds

GPUS = 2
Seen = tuple[int, PhaseSeconds | None]
"""Seconds of all pods, and what the newest one's trainer reports."""
STARTED, TRAINED = PhaseSeconds(starting=5), PhaseSeconds(starting=5, training=60)
CASES: dict[str, tuple[list[Seen], dict[str, int]]] = {
    "the image is pulled": ([(30, None)], {"total": 60}),
    "one attempt": ([(10, STARTED), (80, TRAINED)], {"total": 160, "starting": 10, "training": 120}),
    "the same report again": (
        [(80, TRAINED), (80, TRAINED)],
        {"total": 160, "starting": 10, "training": 120},
    ),
    "a second attempt": (
        [(80, TRAINED), (90, None), (100, STARTED), (120, PhaseSeconds(starting=5, training=20))],
        {"total": 240, "starting": 20, "training": 160},
    ),
    "a trainer that reports without end": (
        [(80, PhaseSeconds(training=COUNT_LIMIT))],
        {"total": 160, "training": COUNT_LIMIT},
    ),
}


@pytest.mark.parametrize(("seen", "expected"), CASES.values(), ids=CASES)
def test_gpu_seconds_add_up_over_the_attempts_of_a_run(seen, expected):
    run, before = RunStatus(name="invoices-1"), None
    for pod_seconds, after in seen:
        new = run.model_copy(update={"goodput": Goodput(pod_seconds=pod_seconds)})
        run = count_gpu_seconds(run, new, before, after, GPUS)
        before = after or before

    assert run.gpu_seconds.model_dump(exclude_none=True) == expected


def test_a_run_on_the_cpu_uses_no_gpu_seconds_in_any_phase():
    run = RunStatus(name="invoices-1", goodput=Goodput(pod_seconds=80))
    counted = count_gpu_seconds(RunStatus(name="invoices-1"), run, None, TRAINED, 0)
    assert counted.gpu_seconds.model_dump(exclude_none=True) == {"total": 0, "starting": 0, "training": 0}
