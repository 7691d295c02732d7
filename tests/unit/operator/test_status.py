"""The status for what is observed."""

from dataclasses import dataclass

import pytest

from finscribe_core.api.v1alpha1 import FineTuneJobStatus
from finscribe_core.constants import ANNOTATION_PLAN
from finscribe_core.errors import FailureReason
from finscribe_core.report import (
    DocumentMetrics,
    EvaluationReport,
    GateVerdict,
    LearningRateChoice,
    Metrics,
    Outputs,
    Phase,
    Progress,
    ProgressReport,
)
from finscribe_operator.events import build_events
from finscribe_operator.objects import Object, key_of
from finscribe_operator.observe import InvalidJob, Observed, observe
from finscribe_operator.status import build_invalid_status, build_status
from finscribe_operator.status_conditions import MESSAGE_LIMIT
from finscribe_operator.store import Store
from tests.unit.operator.builders import (
    NOW,
    a_batch_job,
    a_failure,
    a_job,
    a_pod,
    a_success,
    ended,
    failed,
    run_name,
    succeeded,
    waiting,
)

JOB = a_job()
RUN = run_name(JOB)
SUSPENDED = a_job({"suspend": True})
BUCKET_GONE = a_failure(FailureReason.StorageUnavailable, "s3://docs does not answer.", "Check the endpoint.")
NO_BUCKET = a_failure(FailureReason.OutputNotFound, "No bucket s3://models.", "Create it.")
UNSCHEDULABLE: Object = {
    "phase": "Pending",
    "containerStatuses": [],
    "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes: no nvidia.com/gpu"}],
}


@dataclass(frozen=True)
class Case:
    """Objects, and the expected state, condition and words of its message."""

    state: str
    condition: str
    reason: str
    words: tuple[str, ...] = ()
    job: Object | None = None
    batch: Object | None = None
    pods: tuple[Object, ...] = ()


CASES = {
    "no pod yet": Case("Pending", "Running", "Pending", batch=a_batch_job(RUN)),
    "no node has a GPU": Case(
        "Pending", "Running", "Unschedulable", ("nvidia.com/gpu",), pods=(a_pod(RUN, UNSCHEDULABLE),)
    ),
    "the image is being pulled": Case(
        "Pending", "Running", "ContainerCreating", pods=(a_pod(RUN, waiting("ContainerCreating", "")),)
    ),
    "the image does not exist": Case(
        "Pending",
        "Running",
        "ContainerCannotStart",
        ("manifest unknown", "spec.image"),
        pods=(a_pod(RUN, waiting("ErrImagePull", "manifest unknown")),),
    ),
    "the Secret does not exist": Case(
        "Pending",
        "Running",
        "ContainerCannotStart",
        ('secret "s3" not found', "Create the Secret"),
        pods=(a_pod(RUN, waiting("CreateContainerConfigError", 'secret "s3" not found')),),
    ),
    "the trainer runs and has not reported": Case("Running", "Running", "Starting", pods=(a_pod(RUN),)),
    "the pod is being ended": Case(
        "Running", "Running", "Stopping", ("checkpoint",), pods=(a_pod(RUN, deletionTimestamp=NOW),)
    ),
    "an attempt failed and another one follows": Case(
        "Retrying",
        "Running",
        "Retrying",
        ("1 of at most 4", "StorageUnavailable", "Check the endpoint."),
        batch=a_batch_job(RUN, {"failed": 1}),
        pods=(a_pod(RUN, failed(75, BUCKET_GONE)),),
    ),
    "an attempt failed and the Job has not counted it": Case(
        "Retrying", "Running", "Retrying", ("1 of at most 4",), pods=(a_pod(RUN, failed(75, BUCKET_GONE)),)
    ),
    "its pod saves a checkpoint before it is suspended": Case(
        "Running", "Running", "Stopping", job=SUSPENDED, pods=(a_pod(RUN, deletionTimestamp=NOW),)
    ),
    "it is suspended": Case("Suspended", "Suspended", "SuspendedBySpec", job=SUSPENDED),
    "it succeeded": Case(
        "Complete",
        "Complete",
        "Succeeded",
        ("Stopped early at step 80 of 100", "0.27", "s3://models/invoices/runs/x"),
        batch=a_batch_job(RUN, ended("Complete")),
        pods=(a_pod(RUN, succeeded(a_success())),),
    ),
    "a user error": Case(
        "Failed",
        "Failed",
        "OutputNotFound",
        ("No bucket s3://models.", "Create it."),
        batch=a_batch_job(RUN, ended("Failed", "PodFailurePolicy", 1)),
        pods=(a_pod(RUN, failed(78, NO_BUCKET)),),
    ),
    "too many attempts failed: the reason is the last one's": Case(
        "Failed",
        "Failed",
        "StorageUnavailable",
        ("Gave up after 4 failed attempts", "does not answer", "Check the endpoint."),
        batch=a_batch_job(RUN, ended("Failed", "BackoffLimitExceeded", 4)),
        pods=(a_pod(RUN, failed(1), 0), a_pod(RUN, failed(75, BUCKET_GONE), 1)),
    ),
    "too many attempts failed and no pod is left": Case(
        "Failed",
        "Failed",
        "BackoffLimitExceeded",
        ("spec.backoffLimit",),
        batch=a_batch_job(RUN, ended("Failed", "BackoffLimitExceeded", 4)),
    ),
    "out of memory": Case(
        "Failed",
        "Failed",
        "OOMKilled",
        ("16Gi", "spec.resources.memory"),
        batch=a_batch_job(RUN, ended("Failed", "BackoffLimitExceeded", 4)),
        pods=(a_pod(RUN, failed(137, reason="OOMKilled")),),
    ),
    "the scratch volume ran over": Case(
        "Failed",
        "Failed",
        "Evicted",
        ("exceeds the limit", "spec.resources.scratch"),
        batch=a_batch_job(RUN, ended("Failed", "BackoffLimitExceeded", 4)),
        pods=(
            a_pod(
                RUN,
                {
                    "phase": "Failed",
                    "reason": "Evicted",
                    "message": 'Usage of EmptyDir volume "work" exceeds the limit "50Gi".',
                },
            ),
        ),
    ),
    "the deadline ran out": Case(
        "Failed",
        "Failed",
        "DeadlineExceeded",
        ("activeDeadlineSeconds (60)",),
        batch=a_batch_job(RUN, ended("Failed", "DeadlineExceeded"), {"activeDeadlineSeconds": 60}),
    ),
    "a trainer that was killed without a result": Case(
        "Failed",
        "Failed",
        "InternalError",
        ("exit code 1", "ImportError: libcuda", f"kubectl logs {RUN}-0 -n team"),
        batch=a_batch_job(RUN, ended("Failed", "BackoffLimitExceeded", 1)),
        pods=(a_pod(RUN, failed(1, "Traceback\nImportError: libcuda\n")),),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_status_shows(case: Case):
    status = build_status(observed(case.job or JOB, case.batch or a_batch_job(RUN), *case.pods), NOW)
    condition = next(c for c in status.conditions if c.type == case.condition)
    assert (status.summary.state, condition.reason) == (case.state, case.reason)
    for words in case.words:
        assert words in condition.message


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_every_status_has_all_conditions_and_a_whole_summary(case: Case):
    status = build_status(observed(case.job or JOB, case.batch or a_batch_job(RUN), *case.pods), NOW)
    types = {"Accepted", "Suspended", "Running", "Complete", "Failed", "Promoted", "Reconciling", "Stalled"}
    assert {c.type for c in status.conditions} == types
    assert all(c.reason and c.observed_generation == 1 for c in status.conditions)
    assert all(status.summary.to_kubernetes().values())
    reconciling, stalled = (holds(status, name) for name in ("Reconciling", "Stalled"))
    assert reconciling == (case.state in ("Pending", "Running", "Retrying"))
    assert stalled == (case.state == "Failed")


def test_progress_is_shown_in_numbers_and_as_a_sentence():
    report = ProgressReport(
        run=RUN,
        progress=Progress(
            phase=Phase.Training, step=33, total_steps=100, epoch=1.65, percent=33, eta_seconds=1810
        ),
        metrics=Metrics(train_loss="0.412"),
    )
    status = build_status(observed(JOB, a_batch_job(RUN), a_pod(RUN), report=report), NOW)
    running = next(c for c in status.conditions if c.type == "Running")
    assert (running.reason, running.message) == ("Training", "Step 33 of 100, epoch 1.65.")
    assert status.summary.to_kubernetes() == {
        "state": "Running",
        "progress": "33%",
        "eta": "30m",
        "loss": "0.412",
    }


def test_a_run_without_a_pod_shows_how_far_it_came_and_neither_speed_nor_time_left():
    progress = Progress(step=33, total_steps=100, eta_seconds=1810, samples_per_second="1.2")
    trained = FineTuneJobStatus(progress=progress).to_kubernetes()
    status = build_status(observed(JOB | {"status": trained}, a_batch_job(RUN)), NOW)

    assert status.progress == Progress(step=33, total_steps=100)


READ = EvaluationReport(
    documents=200,
    base=DocumentMetrics(field_accuracy="0.02"),
    tuned=DocumentMetrics(field_accuracy="0.83"),
)
SHORT = "field_accuracy 0.83 is below the minimum 0.9."


@pytest.mark.parametrize(
    ("evaluation", "promoted", "reason", "words"),
    [
        (None, True, "NoGate", "latest.json names this run"),
        (READ, True, "NoGate", "latest.json names this run"),
        (
            READ.model_copy(update={"gate": GateVerdict(passed=True, message="0.83")}),
            True,
            "GatePassed",
            "0.83",
        ),
        (
            READ.model_copy(update={"gate": GateVerdict(passed=False, message=SHORT)}),
            False,
            "GateFailed",
            SHORT,
        ),
    ],
)
def test_a_run_that_fails_its_gate_is_complete_but_not_promoted(evaluation, promoted, reason, words):
    pod_status = succeeded(a_success(evaluation))

    status = build_status(observed(JOB, a_batch_job(RUN, ended("Complete")), a_pod(RUN, pod_status)), NOW)

    condition = next(c for c in status.conditions if c.type == "Promoted")
    assert (condition.status, condition.reason) == (str(promoted), reason)
    assert words in condition.message
    assert (status.summary.state, status.evaluation) == ("Complete", evaluation)
    warned = [event.reason for event in build_events(FineTuneJobStatus(), status) if event.type == "Warning"]
    assert warned == ([] if promoted else ["GateFailed"])


def test_an_under_trained_run_is_complete_with_the_reason_and_a_warning():
    reason = "The loss was still falling. Raise training.numTrainEpochs."
    pod = a_pod(RUN, succeeded(a_success(under_training=reason)))

    status = build_status(observed(JOB, a_batch_job(RUN, ended("Complete")), pod), NOW)

    complete = next(c for c in status.conditions if c.type == "Complete")
    assert (complete.status, complete.reason, status.run.under_training) == ("True", "Succeeded", reason)
    assert complete.message.endswith(reason)
    events = build_events(FineTuneJobStatus(), status)
    assert [(e.reason, e.message) for e in events if e.type == "Warning"] == [("UnderTrained", reason)]
    assert build_events(status, status) == []


def test_a_run_without_a_result_is_not_promoted_when_it_has_a_gate():
    job = a_job({"evaluation": {"gate": {"minimum": 0.9}}})
    run = run_name(job)

    status = build_status(observed(job, a_batch_job(run, ended("Complete")), a_pod(run, succeeded())), NOW)

    condition = next(c for c in status.conditions if c.type == "Promoted")
    assert (condition.status, condition.reason) == ("False", "Finished")


def test_a_valid_spec_is_described_until_the_run_has_ended():
    pod = a_pod(RUN, succeeded(a_success()))
    statuses = observed(JOB, a_batch_job(RUN)), observed(JOB, a_batch_job(RUN, ended("Complete")), pod)
    running, complete = (
        next(c.message for c in build_status(each, NOW).conditions if c.type == "Accepted")
        for each in statuses
    )
    assert running.startswith("The spec is valid. It trains for ") and running.endswith("on 1 GPU.")
    assert complete == "The spec is valid."


def test_the_plan_that_was_made_at_submit_is_quoted():
    job = a_job()
    job["metadata"]["annotations"] = {ANNOTATION_PLAN: "10 steps on 20 rows, 4.20 GiB at the peak on a GPU"}

    status = build_status(observed(job, a_batch_job(RUN)), NOW)

    accepted = next(c.message for c in status.conditions if c.type == "Accepted")
    assert accepted.endswith(
        "on 1 GPU. Planned at submit: 10 steps on 20 rows, 4.20 GiB at the peak on a GPU."
    )


def test_a_run_that_stopped_early_is_complete_at_100_percent():
    pod = a_pod(RUN, succeeded(a_success()))

    status = build_status(observed(JOB, a_batch_job(RUN, ended("Complete")), pod), NOW)

    assert (status.summary.progress, status.progress.percent) == ("100%", 80)


def test_the_status_of_an_ended_run_stays_when_its_job_is_deleted():
    done = build_status(
        observed(JOB, a_batch_job(RUN, ended("Complete")), a_pod(RUN, succeeded(a_success()))), NOW
    )
    later = build_status(observed({**JOB, "status": done.to_kubernetes()}), "2026-06-01T00:00:00Z")
    assert later == done


@pytest.mark.parametrize("removed", ["metrics", "run.outputs"])
def test_a_result_that_was_removed_from_the_status_is_read_from_the_pod_again(removed: str):
    children = a_batch_job(RUN, ended("Complete")), a_pod(RUN, succeeded(a_success()))
    done = build_status(observed(JOB, *children), NOW)
    edited = done.to_kubernetes()
    section, _, field = removed.partition(".")
    (edited[section] if field else edited).pop(field or section)

    assert build_status(observed({**JOB, "status": edited}, *children), NOW) == done


def test_the_image_of_the_model_is_named_by_its_digest_once_a_node_reports_it_and_kept():
    job = a_job({"model": {"source": "oci://registry.example/models/a:1"}})
    run, digest = run_name(job), f"registry.example/models/a@sha256:{'0' * 64}"
    pod = a_pod(run)
    waits = build_status(observed(job, a_batch_job(run), pod), NOW)
    assert waits.run.model_image == "registry.example/models/a:1"

    mounts = [
        {"name": "work", "mountPath": "/workspace"},
        {"name": "base-model", "mountPath": "/model", "volumeStatus": {"image": {"imageRef": digest}}},
    ]
    (trainer,) = pod["status"]["containerStatuses"]
    trainer["volumeMounts"] = mounts
    job = {**job, "status": waits.to_kubernetes()}
    running = build_status(observed(job, a_batch_job(run), pod), NOW)
    assert running.run.model_image == digest

    job = {**job, "status": running.to_kubernetes()}
    vanished = build_status(observed(job, a_batch_job(run, ended("Complete"))), NOW)
    assert vanished.run.model_image == digest


def test_the_learning_rate_that_a_run_chose_is_kept_from_the_first_report_on():
    chosen = LearningRateChoice(chosen="0.0087", rates=["1e-05"], losses=["2.3"])
    children = a_batch_job(RUN), a_pod(RUN)
    seen = build_status(observed(JOB, *children, report=ProgressReport(run=RUN, learning_rate=chosen)), NOW)
    later = build_status(observed({**JOB, "status": seen.to_kubernetes()}, *children), NOW)
    assert seen.run.learning_rate == later.run.learning_rate == chosen


def test_the_adapter_that_the_training_started_from_is_kept_from_the_first_report_on():
    adapter = "s3://models/invoices/runs/w/adapter"
    report = ProgressReport(run=RUN, initial_adapter=adapter)
    running = build_status(observed(JOB, a_batch_job(RUN), a_pod(RUN), report=report), NOW)
    job = {**JOB, "status": running.to_kubernetes()}
    assert running.run.initial_adapter == adapter

    vanished = build_status(observed(job, a_batch_job(RUN, ended("Complete"))), NOW)
    assert vanished.run.initial_adapter == adapter


def test_a_run_has_not_ended_before_the_end_of_its_pod_is_seen():
    early = build_status(observed(JOB, a_batch_job(RUN, ended("Complete")), a_pod(RUN)), NOW)
    assert early.run is not None
    assert (early.run.completion_time, early.summary.state) == (None, "Running")
    then = {**JOB, "status": early.to_kubernetes()}
    done = build_status(
        observed(then, a_batch_job(RUN, ended("Complete")), a_pod(RUN, succeeded(a_success()))), NOW
    )
    assert done.run is not None
    assert done.run.outputs.uri == "s3://models/invoices/runs/x"


def test_a_transition_time_moves_only_when_the_condition_does():
    first = build_status(observed(JOB, a_batch_job(RUN)), NOW)
    second = build_status(
        observed({**JOB, "status": first.to_kubernetes()}, a_batch_job(RUN), a_pod(RUN)), "later"
    )
    moved = {c.type for c in second.conditions if c.last_transition_time == "later"}
    assert moved == {"Running"}


def test_the_status_shows_why_a_run_cannot_be_created():
    status = build_status(observed(JOB), NOW, error="exceeded quota: gpus")
    running = next(c for c in status.conditions if c.type == "Running")
    assert (running.reason, running.message) == ("Pending", "The run can't be created: exceeded quota: gpus")


def test_a_run_whose_job_cannot_be_changed_continues():
    status = build_status(observed(JOB, a_batch_job(RUN), a_pod(RUN)), NOW, error="denied by a webhook")
    running = next(c for c in status.conditions if c.type == "Running")
    assert (running.status, running.reason) == ("True", "Starting")
    assert "A change could not be made: denied by a webhook" in running.message


def test_a_failed_write_for_an_experiment_of_an_ended_run_is_shown_while_it_lasts():
    done = observed(JOB, a_batch_job(RUN, ended("Complete")), a_pod(RUN, succeeded(a_success())))
    statuses = [build_status(done, NOW)]
    for error in ("the name is taken", "the name is taken", ""):
        job = {**JOB, "status": statuses[-1].to_kubernetes()}
        statuses.append(build_status(observed(job), NOW, error))
    messages = [next(c.message for c in status.conditions if c.type == "Running") for status in statuses]
    expected = f"{messages[0]} A change could not be made: the name is taken"
    assert messages[1:] == [expected, expected, messages[0]]


def test_an_invalid_spec_is_shown_with_its_field():
    store = Store()
    store.put(a_job({"lora": {"r": 0}}))
    invalid = observe(store, key_of(JOB))
    assert isinstance(invalid, InvalidJob)
    status = build_invalid_status(invalid, NOW)
    accepted = next(c for c in status.conditions if c.type == "Accepted")
    assert (accepted.status, accepted.reason, status.summary.state) == ("False", "InvalidSpec", "Invalid")
    assert "spec.lora.r" in accepted.message
    assert status.observed_generation == 1


def test_a_password_in_an_endpoint_is_in_neither_status_nor_events():
    store = Store()
    store.put(a_job({"storage": {"endpoint": "http://key:hunter2@minio:9000"}}))

    invalid = observe(store, key_of(JOB))
    assert isinstance(invalid, InvalidJob)
    status = build_invalid_status(invalid, NOW)

    texts = [status.model_dump_json(), *(event.message for event in build_events(invalid.status, status))]
    assert len(texts) == 2
    assert not any("hunter2" in text or "key:" in text for text in texts)
    assert "spec.storage.endpoint" in texts[1]


def test_a_failure_is_shown_in_one_line_without_terminal_escapes_and_passwords():
    message = "\x1b[31mno answer\x1b[0m from\nhttp://key:hunter2@minio\x9b" + "x" * 10_000
    pod = a_pod(RUN, failed(1, a_failure(FailureReason.StorageUnavailable, message, "")))

    status = build_status(observed(JOB, a_batch_job(RUN, ended("Failed")), pod), NOW)

    shown = next(c.message for c in status.conditions if c.type == "Failed")
    assert shown.startswith("no answer from http://[redacted]@minio x")
    assert len(shown) <= MESSAGE_LIMIT


def test_an_unknown_text_in_a_spec_is_quoted_in_part_only():
    store = Store()
    store.put(a_job({"method": "x" * 100_000}))

    invalid = observe(store, key_of(JOB))

    assert isinstance(invalid, InvalidJob)
    assert len(invalid.problems) < 500


def observed(job: Object, *children: Object, report: ProgressReport | None = None) -> Observed:
    store = Store()
    for obj in (job, *children):
        store.put(obj)
        if report is not None and obj["kind"] == "Pod":
            store.put_report(obj, report, NOW)
    result = observe(store, key_of(job))
    assert isinstance(result, Observed)
    return result


def holds(status, type_: str) -> bool:
    return next(c.status for c in status.conditions if c.type == type_) == "True"


def test_the_outputs_of_a_run_whose_pod_vanished_are_named():
    status = build_status(observed(JOB, a_batch_job(RUN, ended("Complete"))), NOW)
    assert status.run is not None
    assert status.run.outputs == Outputs(
        uri=f"s3://models/invoices/runs/{RUN}",
        adapter=f"s3://models/invoices/runs/{RUN}/adapter",
        evaluation=f"s3://models/invoices/runs/{RUN}/evaluation",
        manifest=f"s3://models/invoices/runs/{RUN}/manifest.json",
    )
