"""The operator's metrics of jobs and runs."""

import pytest
from prometheus_client import CollectorRegistry

from finscribe_core.api.conditions import Condition
from finscribe_core.api.v1alpha1 import FineTuneJobStatus, RunStatus
from finscribe_operator.metrics import Metrics
from finscribe_operator.store import Store
from tests.unit.operator.builders import a_job, run_name

JOB = a_job()
RUN = run_name(JOB)
LABELS = {"namespace": "team", "finetunejob": JOB["metadata"]["name"], "run": RUN}


def served(status: dict) -> CollectorRegistry:
    """The metrics of an operator that knows one job with this status."""
    store = Store()
    store.put(a_job(status=status))
    return Metrics(store).registry


def test_gpu_seconds_that_no_phase_has_are_others():
    spent = {"training": 60, "evaluating": 10, "total": 100}
    registry = served({"run": {"name": RUN, "gpuSeconds": spent}})

    phases = {"Training": 60, "Evaluating": 10, "Other": 30, "Comparing": None}
    assert {
        phase: registry.get_sample_value("finscribe_run_gpu_seconds", {**LABELS, "phase": phase})
        for phase in phases
    } == phases


def test_a_comparison_is_served_for_both_models():
    metrics = {"base": {"fieldAccuracy": "0.25"}, "tuned": {"fieldAccuracy": "0.75"}}
    registry = served({"run": {"name": RUN}, "evaluation": {"documents": 8, **metrics}})

    for model, expected in (("base", 0.25), ("tuned", 0.75)):
        labels = {**LABELS, "model": model, "metric": "field_accuracy"}
        assert registry.get_sample_value("finscribe_run_evaluation_ratio", labels) == expected


@pytest.mark.parametrize(
    ("condition", "waiting"),
    [("False", 1.0), ("True", 0.0), ("Unknown", 0.0)],
)
def test_only_a_run_that_does_not_run_waits(condition: str, waiting: float):
    running = {"type": "Running", "status": condition, "reason": "Unschedulable"}
    registry = served({"conditions": [running]})

    assert registry.get_sample_value("finscribe_finetunejobs_waiting", {"reason": "Unschedulable"}) == waiting


def running(status: str, at: str, attempts: int) -> FineTuneJobStatus:
    condition = Condition(type="Running", status=status, reason="R", last_transition_time=at, message="")
    run = RunStatus(name=RUN, attempts=attempts, start_time="2026-05-01T11:00:00Z")
    return FineTuneJobStatus(conditions=[condition], run=run)


@pytest.mark.parametrize("waits", [running("False", "2026-05-01T11:00:00Z", 1), FineTuneJobStatus()])
def test_the_time_to_start_is_that_of_a_runs_first_attempt(waits: FineTuneJobStatus):
    metrics = Metrics(Store())
    starts = running("True", "2026-05-01T11:00:40Z", 1)
    lost = running("Unknown", "2026-05-01T11:05:00Z", 1)
    retries, again = running("False", "2026-05-01T11:10:00Z", 2), running("True", "2026-05-01T11:20:00Z", 2)
    for old, new in ((waits, starts), (starts, starts), (lost, starts), (retries, again)):
        metrics.count_changes(old, new)

    name = "finscribe_run_start_duration_seconds"
    assert metrics.registry.get_sample_value(f"{name}_count") == 1
    assert metrics.registry.get_sample_value(f"{name}_sum") == 40
