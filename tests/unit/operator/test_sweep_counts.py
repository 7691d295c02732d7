"""What `make sweep-operator` counts as lost, doubled, stuck, or without its result or its Event."""

import pytest

from finscribe_core.api.v1alpha1 import FineTuneJobStatus
from finscribe_core.report import Metrics, Outputs, RunResult
from tests.sweeps.counts import Counts, CreatedJob, Expected, Found, count

RESULT = RunResult(succeeded=True, metrics=Metrics(eval_loss="0.5"), outputs=Outputs(uri="s3://models/x"))
JOB = CreatedJob("invoices", "invoices-1", "uid-1")


def status(state: str, uri: str | None = "s3://models/x", loss: str = "0.5") -> FineTuneJobStatus:
    return FineTuneJobStatus.model_validate(
        {
            "run": {"name": "invoices-1", "outputs": {"uri": uri}},
            "metrics": {"evalLoss": loss},
            "summary": {"state": state, "progress": "0%", "eta": "-", "loss": "-"},
        }
    )


AGAIN = CreatedJob("invoices", "invoices-1", "uid-2")
OTHER = CreatedJob("invoices", "invoices-2", "uid-3")
CASES = {
    "nothing is wrong": ("Complete", {}, [JOB], {}, "survived"),
    "no Job was created": ("Pending", {}, [], {}, "lost"),
    "its pod has ended, but not its run": ("Running", {}, [JOB], {}, "lost"),
    "its pod did not end": ("Running", {}, [JOB], {"ended": False}, "stuck"),
    "it failed instead": ("Failed", {}, [JOB], {}, "stuck"),
    "a second Job of its run": ("Complete", {}, [JOB, AGAIN], {}, "doubled"),
    "a second Job that was due": ("Complete", {}, [JOB, AGAIN], {"max_jobs": 2}, "survived"),
    "a second run": ("Complete", {}, [JOB, OTHER], {"max_jobs": 2}, "doubled"),
    "a second run that was due": ("Complete", {}, [JOB, OTHER], {"max_jobs": 2, "max_runs": 2}, "survived"),
    "no outputs": ("Complete", {"uri": None}, [JOB], {}, "results_lost"),
    "other metrics": ("Complete", {"loss": "0.7"}, [JOB], {}, "results_lost"),
}


@pytest.mark.parametrize(
    ("state", "shown", "created", "expected", "problem"), CASES.values(), ids=CASES.keys()
)
def test_a_problem_is_counted_as_what_it_is(state, shown, created, expected, problem):
    found = Found({"invoices": status(state, **shown)}, created, frozenset({("invoices", state)}))

    counts = count([Expected("invoices", **{"result": RESULT, **expected})], found)

    assert counts.evidence == [] if problem == "survived" else len(counts.evidence) == 1
    counts.evidence = []
    assert counts == Counts(tried=1, **{problem: 1})


def test_an_end_without_its_event_is_counted():
    found = Found({"invoices": status("Complete")}, [JOB], frozenset({("invoices", "RunStarted")}))

    assert count([Expected("invoices", result=RESULT)], found).events_lost == 1


def test_counts_are_clean_only_if_all_jobs_survived_and_nothing_else_was_wrong():
    assert Counts(tried=2, survived=2, faults=7).is_clean
    assert not Counts(tried=2, survived=1, stuck=1).is_clean
    assert not Counts(tried=2, survived=2, writes_at_rest=1).is_clean
    assert not Counts(tried=2, survived=2, defects=1).is_clean
