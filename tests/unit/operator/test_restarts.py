"""A container that is started again in its pod: what is counted, shown, and when the run is given up."""

from dataclasses import dataclass

import pytest

from finscribe_core.api.v1alpha1 import FineTuneJob
from finscribe_core.constants import ANNOTATION_GAVE_UP, EXIT_MACHINE_FULL, EXIT_RETRY
from finscribe_core.errors import FailureReason
from finscribe_core.report import Phase, Progress, ProgressReport
from finscribe_operator.config import OperatorConfig
from finscribe_operator.decide import Plan, decide
from finscribe_operator.manifests import build_job
from finscribe_operator.objects import Object, key_of
from finscribe_operator.observe import Observed, observe
from finscribe_operator.outcome import read_outcome
from finscribe_operator.status import build_new_attempt_status, build_status
from finscribe_operator.store import Store
from tests.unit.operator.builders import (
    NOW,
    a_batch_job,
    a_failure,
    a_job,
    a_pod,
    ended,
    failed,
    restarted,
    run_name,
)

RUN = run_name(a_job())
UNAVAILABLE = a_failure(FailureReason.StorageUnavailable, "S3 does not answer.", "Check the endpoint.")
BETWEEN = {"terminated": {"exitCode": EXIT_RETRY, "message": UNAVAILABLE}}
"""How a kubelet reports a container that it is about to start again, at first."""
BACK_OFF = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s"}}
DRAINED = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
REPORT = ProgressReport(run=RUN, progress=Progress(phase=Phase.Training, step=42, total_steps=100))


def look(
    *children: Object, status: Object | None = None, spec: Object | None = None, reported: bool = False
) -> Observed:
    """What is observed of a job, whose newest pod has reported or has not."""
    store, job = Store(), a_job(spec, status=status or {})
    for obj in (job, *children):
        store.put(obj)
    if reported:
        store.put_report(children[-1], REPORT, NOW)
    observed = observe(store, key_of(job))
    assert isinstance(observed, Observed)
    return observed


@dataclass(frozen=True)
class Case:
    """Pods that are seen one after the other, and the attempts, restarts and failures that are counted."""

    seen: tuple[tuple[Object, ...], ...]
    counted: tuple[int, int, int]
    job_failed: int = 0


def pod(status: Object | None = None, attempt: int = 0, *, has_rule: bool = True) -> Object:
    found = a_pod(RUN, status, attempt)
    if has_rule:
        found["spec"]["containers"][0]["restartPolicyRules"] = [{"action": "Restart"}]
    return found


CASES = {
    "none": Case(((pod(),),), (1, 0, 0)),
    "one": Case(((pod(),), (pod(restarted(1)),)), (2, 1, 1)),
    "one, seen twice": Case(((pod(restarted(1)),), (pod(restarted(1)),)), (2, 1, 1)),
    "one that waits": Case(((pod(restarted(0, state=BACK_OFF)),),), (1, 0, 1)),
    "one that is about to be": Case(((pod(restarted(0, state=BETWEEN)),),), (1, 0, 1)),
    "none, as the pod runs because of a sidecar": Case(
        ((pod(restarted(0, state=BETWEEN), has_rule=False),),), (1, 0, 0)
    ),
    "none, as it is not for this exit code": Case(
        ((pod(restarted(0, state={"terminated": {"exitCode": EXIT_MACHINE_FULL}})),),), (1, 0, 0)
    ),
    "one that waits, and then runs": Case(
        ((pod(restarted(0, state=BACK_OFF)),), (pod(restarted(1)),)), (2, 1, 1)
    ),
    "one that waits, until its pod is ended": Case(
        ((pod(restarted(0, state=BACK_OFF)),), (pod(failed(EXIT_RETRY)),)), (1, 0, 1), job_failed=1
    ),
    "three while the operator was away": Case(((pod(),), (pod(restarted(3)),)), (4, 3, 3)),
    "two, then the pod is out of memory, and another one restarts": Case(
        ((pod(restarted(2)),), (pod(failed(137, reason="OOMKilled") | {}), pod(restarted(1), 1))),
        (5, 3, 4),
        job_failed=1,
    ),
    "two, then the pod is gone": Case(((pod(restarted(2)),), (), (pod(None, 1),)), (4, 2, 2)),
    "two, and the first sight is of its failure": Case(
        ((pod(failed(70) | {"containerStatuses": restarted(2)["containerStatuses"]}),),), (3, 2, 3), 1
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_attempts_and_failures_count_each_restart_once(case: Case):
    status: Object = {}
    for pods in case.seen:
        is_last = pods is case.seen[-1]
        observed = look(a_batch_job(RUN, {"failed": case.job_failed * is_last}), *pods, status=status)
        status = build_status(observed, NOW).to_kubernetes()
    run = status["run"]
    assert (run["attempts"], run["restarts"], run["failedAttempts"]) == case.counted
    changed = build_new_attempt_status(look(status=status), NOW).run
    assert changed is not None
    assert (changed.attempts, changed.restarts, changed.failed_attempts) == (case.counted[0], 0, 0)


def test_the_status_names_the_failure_until_the_next_container_reports():
    store, job, batch, running = Store(), a_job(), a_batch_job(RUN), pod()
    for version, (state, reported, reason) in enumerate(
        (
            (restarted(0, "", BETWEEN), False, "Retrying"),
            (restarted(0, UNAVAILABLE, BACK_OFF), False, "Retrying"),
            (restarted(1, UNAVAILABLE), False, "Retrying"),
            (restarted(1, UNAVAILABLE), True, "Training"),
            (restarted(2, UNAVAILABLE), False, "Retrying"),
            (restarted(2, UNAVAILABLE), False, "Retrying"),
            (restarted(2, UNAVAILABLE), True, "Training"),
        ),
        start=2,
    ):
        running = running | {"status": state}
        for obj in (job, batch, running):
            obj["metadata"]["resourceVersion"] = str(version)
            store.put(obj)
        if reported:
            store.put_report(running, REPORT, NOW)
        observed = observe(store, key_of(job))
        assert isinstance(observed, Observed)
        status = build_status(observed, NOW)
        (condition,) = (c for c in status.conditions if c.type == "Running")
        assert condition.reason == reason, (version, condition.message)
        assert ("StorageUnavailable: S3 does not answer" in condition.message) is (reason == "Retrying")
        job = job | {"status": status.to_kubernetes()}

    restarted_operator = look(batch, running, status=job["status"], reported=False)
    (condition,) = (c for c in build_status(restarted_operator, NOW).conditions if c.type == "Running")
    assert condition.reason == "Starting"


def plan(status: Object, spec: Object | None = None, failed_pods: int = 0, *, reported: bool = False) -> Plan:
    batch = a_batch_job(RUN, {"failed": failed_pods})
    return decide(look(batch, pod(status), spec=spec, reported=reported), NOW)


def test_a_run_is_given_up_when_pods_and_restarts_together_exceed_the_limit():
    patch = plan(restarted(3, UNAVAILABLE, BACK_OFF)).patch
    assert patch["spec"] == {"activeDeadlineSeconds": 1}
    note = (
        "StorageUnavailable Gave up after 4 failed attempts; the last one: S3 does not answer. "
        "Check the endpoint."
    )
    assert patch["metadata"]["annotations"] == {ANNOTATION_GAVE_UP: note}
    assert plan(restarted(3, "", BETWEEN)).patch == patch
    assert plan(restarted(2, UNAVAILABLE, BACK_OFF)) == Plan()
    assert plan(restarted(2, UNAVAILABLE, BACK_OFF), failed_pods=1).patch == patch
    out_of_memory = failed(137, reason="OOMKilled")["containerStatuses"][0] | {"restartCount": 3}
    gone = {"phase": "Failed", "containerStatuses": [out_of_memory]}
    assert "OOMKilled Gave up after 4" in str(plan(gone, failed_pods=1).patch)


def test_nothing_is_given_up_when_the_trainer_runs_or_the_job_counts_by_itself():
    lowered = {"backoffLimit": 1}
    job_has_it = {"backoffLimit": 3}
    trains_again = plan(restarted(2, UNAVAILABLE), lowered, reported=True).patch
    assert trains_again == {"spec": {"backoffLimit": 1}}
    assert plan(failed(EXIT_RETRY), job_has_it, failed_pods=4) == Plan()
    assert plan(restarted(9, "", BACK_OFF), {"suspend": True}).patch["spec"] == {"suspend": True}


def test_the_end_of_such_a_run_has_the_reason_of_its_last_failure():
    told = a_batch_job(RUN, ended("Failed", "DeadlineExceeded"), {"activeDeadlineSeconds": 1})
    told["metadata"]["annotations"] = {ANNOTATION_GAVE_UP: "StorageUnavailable Gave up after 4 failed ..."}
    outcome = read_outcome(told, ())
    assert outcome is not None and outcome.failure is not None
    assert (outcome.failure.reason, outcome.failure.message) == (
        "StorageUnavailable",
        "Gave up after 4 failed ...",
    )


def test_only_a_transient_error_of_a_run_with_one_node_and_retries_restarts_in_place():
    def container(*, knows: bool = True, **spec: object) -> Object:
        job = FineTuneJob.model_validate(a_job(spec))
        batch = build_job(job, RUN, OperatorConfig(), knows_restart_rules=knows)
        return batch["spec"]["template"]["spec"]["containers"][0]

    (rule,) = container()["restartPolicyRules"]
    assert rule == {"action": "Restart", "exitCodes": {"operator": "In", "values": [EXIT_RETRY]}}
    assert EXIT_MACHINE_FULL not in rule["exitCodes"]["values"]
    assert container()["restartPolicy"] == "Never"
    for other in (container(knows=False), container(resources={"nodes": 2}), container(backoffLimit=0)):
        assert "restartPolicy" not in other and "restartPolicyRules" not in other
