"""The plan of writes for a FineTuneJob."""

import pytest

from finscribe_core.api.v1alpha1 import FineTuneJobStatus, RunRecord, RunStatus
from finscribe_core.constants import ANNOTATION_ATTEMPT, ANNOTATION_RETRY, ANNOTATION_SUSPENDED
from finscribe_core.report import EvaluationReport, GateVerdict
from finscribe_operator.decide import Plan, decide
from finscribe_operator.objects import Object, key_of
from finscribe_operator.observe import Observed, observe
from finscribe_operator.runs import find_run
from finscribe_operator.store import Store
from tests.unit.operator.builders import EARLIER, NOW, a_batch_job, a_job, a_pod, ended, run_name

JOB = a_job()
RUN = run_name(JOB)
CHANGED = a_job({"lora": {"r": 8}})
NEXT = run_name(CHANGED)
COMPLETE = {"type": "Complete", "status": "True", "reason": "Succeeded", "lastTransitionTime": NOW}
FAILED = {"type": "Failed", "status": "True", "reason": "OOMKilled", "lastTransitionTime": NOW}
MORE_MEMORY = a_job({"resources": {"memory": "64Gi"}})


def test_a_new_job_gets_its_run():
    assert plan(JOB) == Plan(create=True)


def test_an_active_run_needs_no_writes():
    assert plan(JOB, a_batch_job(RUN), a_pod(RUN)) == Plan()


def test_a_job_with_the_same_labels_and_another_owner_is_ignored():
    other = a_batch_job(RUN)
    other["metadata"]["ownerReferences"] = [{"uid": "another", "controller": True}]
    assert plan(JOB, other) == Plan(create=True)


def test_a_job_with_the_labels_and_the_owner_of_the_runs_job_and_another_name_is_ignored():
    forged = a_batch_job(RUN, ended("Complete"))
    forged["metadata"] |= {"name": "forged", "uid": "forged-uid"}

    assert plan(JOB, a_batch_job(RUN), forged) == Plan()


def test_mutable_fields_are_patched():
    job = a_job({"suspend": True, "backoffLimit": 5})
    batch = a_batch_job(RUN, spec={"activeDeadlineSeconds": 60})
    assert plan(job, batch) == Plan(
        patch={
            "metadata": {"annotations": {ANNOTATION_SUSPENDED: "true"}},
            "spec": {"suspend": True, "backoffLimit": 5, "activeDeadlineSeconds": None},
        }
    )


def test_a_job_that_the_operator_suspended_is_resumed():
    batch = a_batch_job(RUN, spec={"suspend": True})
    batch["metadata"]["annotations"] = {ANNOTATION_SUSPENDED: "true"}
    assert plan(JOB, batch).patch == {
        "metadata": {"annotations": {ANNOTATION_SUSPENDED: None}},
        "spec": {"suspend": False},
    }


def test_a_job_that_another_controller_suspended_is_left_to_it():
    assert plan(JOB, a_batch_job(RUN, spec={"suspend": True})) == Plan()


def test_the_parallelism_of_a_job_is_set_back():
    assert plan(JOB, a_batch_job(RUN, spec={"parallelism": 3})).patch == {"spec": {"parallelism": 1}}


def test_a_completion_time_that_another_program_wrote_does_not_end_a_run():
    job = with_run(JOB, RUN, completion_time=NOW)
    assert plan(job) == Plan(create=True)
    job["status"]["conditions"] = [COMPLETE]
    assert plan(job, a_batch_job(RUN, spec={"backoffLimit": 9})).patch == {"spec": {"backoffLimit": 3}}


def test_an_ended_run_is_neither_patched_nor_created_again():
    job = with_run(a_job({"suspend": True}), RUN, completion_time=NOW)
    job["status"]["conditions"] = [COMPLETE]
    assert plan(job, a_batch_job(RUN, ended("Complete"))) == Plan()
    assert plan(job) == Plan()


def test_a_job_deleted_by_hand_while_it_ran_is_created_again():
    assert plan(with_run(JOB, RUN)) == Plan(create=True)


def test_a_job_deleted_by_hand_is_created_again_only_when_its_pod_is_gone():
    assert plan(with_run(JOB, RUN), a_pod(RUN)) == Plan()


def test_nothing_is_written_while_the_job_is_being_deleted():
    batch = a_batch_job(RUN)
    batch["metadata"]["deletionTimestamp"] = NOW
    assert plan(JOB, batch) == Plan()


def test_a_changed_spec_records_the_old_run_then_deletes_it_and_starts_the_new_one():
    old = a_batch_job(RUN)
    job = with_run(CHANGED, RUN)
    job["status"]["progress"] = {"step": 5}
    result = plan(job, old)
    assert result.status is not None and result.status.run is not None
    assert result.status.run.name == NEXT
    assert [(r.name, r.outcome) for r in result.status.runs] == [(RUN, "Superseded")]
    assert (result.delete, result.create) == ([old], True)


def test_an_ended_job_is_kept_as_long_as_its_record():
    old = a_batch_job(RUN, ended("Failed", "BackoffLimitExceeded"))
    result = plan(with_run(CHANGED, RUN), old)
    assert result.status is not None
    assert [(r.name, r.outcome) for r in result.status.runs] == [(RUN, "Failed")]
    assert result.delete == []


def test_a_run_that_was_superseded_before_its_first_step_is_not_recorded():
    old = a_batch_job(RUN)
    result = plan(with_run(CHANGED, RUN), old)
    assert result.status is not None
    assert (result.status.runs, result.delete) == ([], [old])
    assert plan({**CHANGED, "status": result.status.to_kubernetes()}, old).status is None


def test_an_ended_run_that_is_recorded_nowhere_is_recorded():
    result = plan(CHANGED, a_batch_job(RUN, ended("Complete")))
    assert result.status is not None
    assert [(r.name, r.outcome) for r in result.status.runs] == [(RUN, "Succeeded")]
    assert result.delete == []


@pytest.mark.parametrize("name", ["succeeded", "promoted"])
def test_many_later_runs_do_not_push_the_last_result_out_of_the_history(name: str):
    failed_gate = EvaluationReport(gate=GateVerdict(passed=False))
    records = [
        RunRecord(name="promoted", outcome="Succeeded", completion_time="2026-01-01"),
        RunRecord(
            name="succeeded", outcome="Succeeded", completion_time="2026-01-02", evaluation=failed_gate
        ),
        *(RunRecord(name=f"r{i}", outcome="Failed", completion_time=f"2026-02-{i:02}") for i in range(8)),
    ]
    job = with_run(CHANGED, RUN, completion_time=NOW, runs=records)
    job["status"]["conditions"] = [FAILED]
    result = plan(job)
    assert result.status is not None
    assert name in [record.name for record in result.status.runs]
    assert [r.name for r in result.status.runs[:8]] == [RUN, *(f"r{i}" for i in range(7, 0, -1))]


@pytest.mark.parametrize(
    ("limit", "kept"),
    {
        0: ["succeeded", "promoted"],
        3: ["r7", "succeeded", "promoted"],
        4: ["r7", "r6", "succeeded", "promoted"],
    }.items(),
)
def test_runs_beyond_the_limit_leave_with_their_jobs_but_never_the_last_results(limit: int, kept: list[str]):
    failed_gate = EvaluationReport(gate=GateVerdict(passed=False))
    records = [
        *(
            RunRecord(name=f"r{i}", outcome="Failed", completion_time=f"2026-02-{i:02}")
            for i in range(7, 5, -1)
        ),
        RunRecord(
            name="succeeded", outcome="Succeeded", completion_time="2026-01-02", evaluation=failed_gate
        ),
        RunRecord(name="promoted", outcome="Succeeded", completion_time="2026-01-01"),
    ]
    job = with_run(a_job({"historyLimit": limit}), RUN, runs=records)
    jobs = [a_batch_job(RUN), *(a_batch_job(r.name, ended("Failed")) for r in records)]
    result = plan(job, *jobs)
    runs = result.status.runs if result.status else records
    assert [record.name for record in runs] == kept
    assert {old["metadata"]["name"] for old in result.delete} == {r.name for r in records} - set(kept)


def test_a_failed_run_without_a_record_starts_again_only_when_its_old_job_is_gone():
    job = with_run(a_job({"historyLimit": 0}), NEXT)
    failed = a_batch_job(RUN, ended("Failed", "BackoffLimitExceeded", 4))
    assert plan(job, failed) == Plan(delete=[failed], wait=True)
    assert plan(job).create


def test_ten_runs_are_recorded_and_the_job_of_the_eleventh_is_deleted():
    records = [
        RunRecord(name=f"r{i}", outcome="Failed", completion_time=f"2026-04-{20 - i}") for i in range(10)
    ]
    job = with_run(CHANGED, RUN, completion_time=NOW, runs=records)
    oldest = a_batch_job("r9", ended("Failed"))
    oldest["status"]["conditions"][0]["lastTransitionTime"] = "2026-04-11"
    result = plan(job, oldest)
    assert result.status is not None
    assert [r.name for r in result.status.runs] == [RUN, *(f"r{i}" for i in range(9))]
    assert result.delete == [oldest]
    again = plan({**job, "status": result.status.to_kubernetes()}, oldest)
    assert (again.status, again.delete) == (None, [oldest])


def test_going_back_to_a_spec_that_succeeded_starts_no_run():
    record = RunRecord(
        name=NEXT, outcome="Succeeded", completion_time=EARLIER, initial_adapter="s3://b/earlier"
    )
    job = with_run(CHANGED, RUN, completion_time=NOW, runs=[record], initial_adapter="s3://b/later")
    result = plan(job)
    assert result.status is not None and result.status.run is not None
    assert result.status.run.initial_adapter == "s3://b/earlier"
    assert [record.initial_adapter for record in result.status.runs] == ["s3://b/later"]
    assert (result.status.run.name, result.status.run.completion_time) == (NEXT, EARLIER)
    assert (result.status.summary.state, result.create) == ("Complete", False)


def test_going_back_to_a_spec_that_failed_starts_a_run_once_the_old_job_is_gone():
    record = RunRecord(name=NEXT, outcome="Failed", completion_time=EARLIER)
    job = with_run(CHANGED, RUN, completion_time=NOW, runs=[record])
    old = a_batch_job(NEXT, ended("Failed"))
    assert plan(job, old) == Plan(delete=[old], wait=True)
    result = plan(job)
    assert result.status is not None
    assert ([r.name for r in result.status.runs], result.create) == ([RUN], True)


def test_a_changed_pod_deletes_the_job_then_records_the_new_attempt_and_creates_the_job_again():
    job = with_identity(MORE_MEMORY, JOB)
    old = a_batch_job(RUN)
    assert plan(job, old, a_pod(RUN)) == Plan(delete=[old], wait=True)
    result = plan(job, a_pod(RUN))
    assert result.status is not None and result.status.run is not None
    assert (result.status.run.name, result.create) == (RUN, False)
    again = plan({**job, "status": result.status.to_kubernetes()})
    assert again == Plan(create=True)


def test_a_pod_that_changed_before_the_first_status_was_written_is_replaced():
    old = a_batch_job(RUN)
    attempt = find_run(JOB, FineTuneJobStatus())[1].attempt_hash
    old["metadata"]["annotations"] = {ANNOTATION_ATTEMPT: attempt}
    assert plan(MORE_MEMORY, old) == Plan(delete=[old], wait=True)
    assert plan(JOB, old) == Plan()


def test_an_attempt_that_someone_wrote_into_the_status_replaces_no_pod():
    job = with_identity(JOB, JOB, attempt_hash="other")
    running = a_batch_job(RUN)
    attempt = find_run(JOB, FineTuneJobStatus())[1].attempt_hash
    running["metadata"]["annotations"] = {ANNOTATION_ATTEMPT: attempt}
    assert plan(job, running, a_pod(RUN)) == Plan()


def test_a_failed_run_continues_when_its_pod_changes():
    job = with_identity(MORE_MEMORY, JOB, completion_time=NOW)
    job["status"]["conditions"] = [FAILED]
    old = a_batch_job(RUN, ended("Failed", "BackoffLimitExceeded"))
    assert plan(job, old) == Plan(delete=[old], wait=True)
    result = plan(job)
    assert result.status is not None
    assert (result.status.summary.state, result.create) == ("Pending", True)


def test_a_failed_run_continues_once_for_each_new_token_of_a_retry():
    job = with_identity(JOB, JOB, completion_time=NOW)
    job["status"]["conditions"] = [FAILED]
    old = a_batch_job(RUN, ended("Failed", "BackoffLimitExceeded"))
    job["metadata"] = job["metadata"] | {"annotations": {ANNOTATION_RETRY: "1"}}
    assert plan(job, old) == Plan(delete=[old], wait=True)
    result = plan(job)
    assert result.status is not None and result.status.run is not None
    assert (result.status.run.retry_token, result.create) == ("1", True)
    failed_again = result.status.run.model_copy(update={"completion_time": NOW}).to_kubernetes()
    assert plan({**job, "status": {"run": failed_again, "conditions": [FAILED]}}, old) == Plan()


def test_a_token_has_no_effect_on_a_run_that_has_not_failed():
    running = with_identity(JOB, JOB)
    running["metadata"] = running["metadata"] | {"annotations": {ANNOTATION_RETRY: "1"}}
    assert plan(running, a_batch_job(RUN), a_pod(RUN)) == Plan()
    done = with_identity(JOB, JOB, completion_time=NOW)
    done["metadata"] = running["metadata"]
    done["status"]["conditions"] = [COMPLETE]
    assert plan(done, a_batch_job(RUN, ended("Complete"))) == Plan()


def test_a_run_that_succeeded_stays_as_it_is_when_its_pod_changes():
    complete = a_batch_job(RUN, ended("Complete"))
    job = with_identity(MORE_MEMORY, JOB, completion_time=NOW)
    job["status"]["conditions"] = [COMPLETE]
    assert plan(job, complete) == plan(job) == Plan()
    assert plan(with_identity(MORE_MEMORY, JOB), complete) == Plan()


def plan(job: Object, *children: Object) -> Plan:
    store = Store()
    for obj in (job, *children):
        store.put(obj)
    observed = observe(store, key_of(job))
    assert isinstance(observed, Observed)
    return decide(observed, NOW)


def with_identity(job: Object, started_for: Object, **fields: str) -> Object:
    """The job with the status of a run that was started for another spec."""
    run = find_run(started_for, FineTuneJobStatus())[1].build_status().model_copy(update=fields)
    return {**job, "status": {"run": run.to_kubernetes(), "conditions": []}}


def with_run(job: Object, run: str, runs: list[RunRecord] | None = None, **fields: str) -> Object:
    status = {
        "run": RunStatus(name=run, **fields).to_kubernetes(),
        "runs": [record.to_kubernetes() for record in runs or []],
        "conditions": [],
    }
    return {**job, "status": status}
