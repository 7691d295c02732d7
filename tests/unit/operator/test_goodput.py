"""Goodput: the share of its pods' time in which a run took the steps that it keeps."""

import re
from dataclasses import dataclass

import pytest
from prometheus_client import generate_latest

from finscribe_core.api.v1alpha1 import RunStatus
from finscribe_core.report import Progress, ProgressReport, RunResult
from finscribe_operator.goodput import count_pods
from finscribe_operator.metrics import Metrics
from finscribe_operator.objects import Object, key_of
from finscribe_operator.observe import Observed, observe
from finscribe_operator.status import build_new_attempt_status, build_status
from finscribe_operator.store import Store
from tests.unit.operator.builders import NOW, a_batch_job, a_job, a_pod, run_name, waiting

JOB = a_job()
RUN = run_name(JOB)


def at(minute: int) -> str:
    return f"2026-05-01T11:{minute:02}:00Z"


def pod(attempt: int, started: int, ended: int | None = None, slow: int = 0, **status: object) -> Object:
    """A pod that its node accepted at one minute, and whose container ended at another; the node's clock may
    be some minutes slow.
    """
    state: Object = {"running": {}} if ended is None else {"terminated": {"finishedAt": at(ended - slow)}}
    containers = [{"name": "trainer", "state": state}]
    phase = "Running" if ended is None else "Failed"
    facts = {"phase": phase, "startTime": at(started - slow), "containerStatuses": containers}
    return a_pod(RUN, facts | status, attempt, creationTimestamp=at(started))


@dataclass(frozen=True)
class Seen:
    """What the operator sees: the pods that exist, and the newest one's last report."""

    pods: tuple[Object, ...] = ()
    minute: int | None = None
    step_seconds: int | None = None


@dataclass(frozen=True)
class Case:
    seen: tuple[Seen, ...]
    attempts: int
    pod_seconds: int
    ratio: str | None


FIRST = Seen((pod(0, 0),), 10, 300)
LOST = {"type": "DisruptionTarget", "status": "True", "lastTransitionTime": at(12)}
CASES = {
    "its pod waits for its image": Case((Seen((a_pod(RUN, waiting("ContainerCreating", "")),)),), 1, 0, None),
    "the trainer has not begun to train": Case((Seen((pod(0, 0),), 5),), 1, 300, None),
    "the first attempt trains": Case((FIRST,), 1, 600, "0.5"),
    "killed without a checkpoint: its steps are repeated": Case(
        (
            FIRST,
            Seen((pod(0, 0, ended=10),)),
            Seen((pod(0, 0, ended=10), pod(1, 11)), 13),
            Seen((pod(0, 0, ended=10), pod(1, 11)), 21, 300),
        ),
        2,
        1200,
        "0.25",
    ),
    "killed without a checkpoint: the next attempt begins at step 0": Case(
        (FIRST, Seen((pod(0, 0, ended=10), pod(1, 11)), 21, 0)), 2, 1200, "0"
    ),
    "evicted with a checkpoint": Case(
        (FIRST, Seen((pod(0, 0, ended=10), pod(1, 11)), 21, 600)), 2, 1200, "0.5"
    ),
    "its node's clock is slow": Case(
        (Seen((pod(0, 20, slow=15),), 30, 300), Seen((pod(0, 20, ended=40, slow=15),), None, 600)),
        1,
        1200,
        "0.5",
    ),
    "its node's clock is fast": Case((Seen((pod(0, 20, slow=-15),), 30, 300),), 1, 600, "0.5"),
    "the next attempt has not loaded its checkpoint": Case(
        (FIRST, Seen((pod(0, 0, ended=10), pod(1, 11)), 12)), 2, 660, "0.5"
    ),
    "suspended, and its pod removed before its end was seen": Case((FIRST, Seen()), 1, 600, "0.5"),
    "suspended and resumed": Case((FIRST, Seen(), Seen((pod(1, 40),), 50, 700)), 2, 1200, "0.583"),
    "a pod whose end was seen, and that was then removed": Case(
        (FIRST, Seen((pod(0, 0, ended=12),)), Seen((pod(1, 20),), 30, 900)), 2, 1320, "0.682"
    ),
    "two attempts while the operator was away": Case(
        (FIRST, Seen((pod(0, 0, ended=11), pod(1, 12, ended=20), pod(2, 21)), 31, 900)), 3, 1740, "0.517"
    ),
    "the newest pod was deleted by hand, and an older one still exists": Case(
        (
            Seen((pod(0, 0, ended=5),)),
            Seen((pod(0, 0, ended=5), pod(1, 10)), 20, 450),
            Seen((pod(0, 0, ended=5),)),
            Seen((pod(0, 0, ended=5), pod(2, 30)), 35, 450),
        ),
        3,
        1200,
        "0.375",
    ),
    "its node was lost, and its container's end is not known": Case(
        (FIRST, Seen((pod(0, 0, phase="Failed", conditions=[LOST]),))), 1, 720, "0.5"
    ),
    "two pods that were created in the same second": Case(
        (Seen((pod(0, 0, ended=1), pod(1, 0)), 10, 300),), 1, 60, "1"
    ),
    "its status was lost: the checkpoint's steps took longer than the known pods": Case(
        (Seen((pod(3, 0),), 10, 6000),), 1, 600, "1"
    ),
    "a trainer of an older version": Case((Seen((pod(0, 0),), 10),), 1, 600, None),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_goodput_counts_each_pod_once_and_only_steps_that_are_kept(case: Case):
    run = RunStatus(name=RUN)
    for seen in case.seen:
        reported_at = "" if seen.minute is None else at(seen.minute)
        progress = Progress(step_seconds=seen.step_seconds)
        run = count_pods(run, seen.pods, reported_at, progress)
        assert count_pods(run, seen.pods, reported_at, progress) == run  # or each look would be a write

    goodput = run.goodput
    assert (run.attempts, goodput.pod_seconds, goodput.ratio) == (
        case.attempts,
        case.pod_seconds,
        case.ratio,
    )


def observed(*objects: Object, status: Object, report: ProgressReport | None = None) -> Observed:
    """What an operator observes that has just started."""
    store = Store()
    for obj in (JOB | {"status": status}, *objects):
        store.put(obj)
    if report is not None:
        store.put_report(objects[-1], report, at(10))
    found = observe(store, key_of(JOB))
    assert isinstance(found, Observed)
    return found


def test_a_restarted_operator_and_a_new_attempt_continue_the_count():
    report = ProgressReport(progress=Progress(step=3, step_seconds=300))
    first = build_status(observed(a_batch_job(RUN), pod(0, 0), status={}, report=report), NOW)
    restarted = build_status(observed(a_batch_job(RUN), pod(0, 0), status=first.to_kubernetes()), NOW)
    changed = build_new_attempt_status(observed(status=restarted.to_kubernetes()), NOW)

    for status in (first, restarted, changed):
        assert status.run is not None
        assert (status.run.attempts, status.run.goodput.ratio) == (1, "0.5")


def test_the_result_of_an_attempt_says_the_seconds_of_its_steps():
    message = RunResult(succeeded=False, progress=Progress(step_seconds=360)).to_termination_message()
    ended = pod(0, 0, ended=10)
    ended["status"]["containerStatuses"][0]["state"]["terminated"]["message"] = message
    status = build_status(observed(a_batch_job(RUN), ended, status={}), NOW)

    assert status.run is not None
    assert (status.run.goodput.pod_seconds, status.run.goodput.ratio) == (600, "0.6")


def test_metrics_show_each_jobs_state_and_run_and_skip_a_run_that_another_program_wrote():
    store = Store()
    run = {"name": RUN, "attempts": 2, "goodput": {"ratio": "0.5"}}
    promoted = {"type": "Promoted", "status": "False", "reason": "GateFailed"}
    complete = {"run": run, "summary": {"state": "Complete"}, "conditions": [promoted]}
    for name, status in (("invoices", complete), ("letters", {"run": {"attempts": "many"}})):
        job = a_job(status=status)
        job["metadata"] |= {"name": name, "uid": name}
        store.put(job)
    registry = Metrics(store).registry
    labels = {"namespace": "team", "finetunejob": "invoices", "run": RUN}

    assert registry.get_sample_value("finscribe_run_attempts", labels) == 2
    assert registry.get_sample_value("finscribe_run_goodput_ratio", labels) == 0.5
    assert registry.get_sample_value("finscribe_run_gate_passed", labels) == 0
    served = generate_latest(registry).decode()
    assert re.findall("finscribe_finetunejob_state{.*", served) == [
        'finscribe_finetunejob_state{finetunejob="letters",namespace="team",state="Pending"} 1.0'
    ]
    assert not re.findall("finscribe_run_.*letters", served)
