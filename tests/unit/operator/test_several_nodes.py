"""What the status says of a run with several pods, of which the first one reports."""

from dataclasses import dataclass

import pytest

from finscribe_core.api.v1alpha1 import FineTuneJob
from finscribe_core.constants import EXIT_PEER_LOST, EXIT_RETRY, LABEL_JOB, LABEL_NODE_RANK, LABEL_RUN
from finscribe_core.errors import FailureReason
from finscribe_core.report import Phase, Progress, ProgressReport
from finscribe_operator.config import OperatorConfig
from finscribe_operator.manifests import build_data_check_job, build_job, build_lookup_job, build_service
from finscribe_operator.manifests.service import first_pod_address
from finscribe_operator.objects import Object, key_of
from finscribe_operator.observe import Observed, observe
from finscribe_operator.pod_creation import lacks_pod
from finscribe_operator.status import build_status
from finscribe_operator.store import Store
from tests.unit.operator.builders import (
    NOW,
    a_batch_job,
    a_failure,
    a_job,
    a_pod,
    failed,
    run_name,
    succeeded,
    waiting,
)

JOB = a_job({"resources": {"nodes": 2}})
RUN = run_name(JOB)
REPORT = ProgressReport(run=RUN, progress=Progress(phase=Phase.Training, step=42, total_steps=100))
UNSCHEDULABLE = {
    "phase": "Pending",
    "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    ],
}
SILENT = {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}
INTERRUPTED = a_failure(FailureReason.Interrupted, "Stopped; checkpoint saved after step 42.", "")
DRAINED = {
    **failed(EXIT_RETRY),
    "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}],
}
OUT_OF_MEMORY = failed(137, reason="OOMKilled")


def pod(rank: int, status: Object | None = None, attempt: int = 0) -> Object:
    labels = {LABEL_JOB: "invoices", LABEL_RUN: RUN, LABEL_NODE_RANK: str(rank)}
    found = a_pod(RUN, status, attempt, labels=labels)
    found["metadata"] |= {"name": f"{RUN}-{rank}-{attempt}", "uid": f"{rank}-{attempt}"}
    return found


@dataclass(frozen=True)
class Case:
    """The pods, the reason of Running, words of its message, and the attempts so far."""

    pods: tuple[Object, ...]
    reason: str
    words: tuple[str, ...]
    attempts: int = 1


CASES = {
    "both run": Case((pod(0), pod(1)), "Training", ("Step 42",)),
    "the second one is not created yet": Case((pod(0),), "Training", ()),
    "the second one finds no node": Case(
        (pod(0), pod(1, UNSCHEDULABLE)), "Unschedulable", (f"waits for its pod {RUN}-1-0", "0/3 nodes")
    ),
    "the second one can't start": Case(
        (pod(0), pod(1, waiting("ErrImagePull", "not found"))), "ContainerCannotStart", (f"{RUN}-1-0",)
    ),
    "the node of the second one is silent": Case(
        (pod(0), pod(1, SILENT)), "NodeUnreachable", (f"pod {RUN}-1-0",)
    ),
    "the second one has finished": Case((pod(0), pod(1, succeeded())), "Training", ("Step 42",)),
    "the second one was out of memory": Case(
        (pod(0, failed(EXIT_PEER_LOST)), pod(1, OUT_OF_MEMORY)),
        "Retrying",
        ("Attempt failed (1 of at most 4)", "OOMKilled"),
    ),
    "the second one was drained": Case(
        (pod(0, failed(EXIT_PEER_LOST, INTERRUPTED)), pod(1, DRAINED)),
        "Retrying",
        ("does not count as a failure (0 of at most 4)", "Evicted"),
    ),
    "the network between them is gone": Case(
        (pod(0, failed(EXIT_RETRY)), pod(1, failed(EXIT_PEER_LOST))),
        "Retrying",
        ("Attempt failed (1 of at most 4)", "PeerLost", "can't be reached"),
    ),
    "a later attempt has another reason": Case(
        (
            *(pod(0, OUT_OF_MEMORY), pod(1, failed(EXIT_PEER_LOST))),
            *(pod(0, failed(EXIT_PEER_LOST), 1), pod(1, failed(70, "a bug"), 1)),
        ),
        "Retrying",
        ("Attempt failed (2 of at most 4)", "a bug"),
        attempts=2,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_running_condition_names_the_pod_that_matters(case: str):
    expected, store = CASES[case], Store()
    for obj in (JOB, a_batch_job(RUN, spec={"parallelism": 2}), *expected.pods):
        store.put(obj)
    for each in expected.pods:
        store.put_report(each, REPORT, NOW)

    observed = observe(store, key_of(JOB))

    assert isinstance(observed, Observed)
    status = build_status(observed, NOW)
    running = next(c for c in status.conditions if c.type == "Running")
    assert running.reason == expected.reason, running.message
    assert all(word in running.message for word in expected.words), running.message
    assert status.run is not None
    assert status.run.attempts == expected.attempts
    assert status.run.name in first_pod_address(observed.job, RUN)


def test_a_pod_is_missing_while_fewer_run_than_the_job_has_nodes():
    batch = a_batch_job(RUN, spec={"parallelism": 2})

    assert lacks_pod(batch, [pod(0)])
    assert lacks_pod(batch, [pod(0), pod(1, OUT_OF_MEMORY)])
    assert not lacks_pod(batch, [pod(0), pod(1)])


def test_the_service_finds_the_pods_of_the_run_and_their_names_are_those_of_its_job():
    job = FineTuneJob.model_validate(JOB)
    service, batch = build_service(job, RUN), build_job(job, RUN, OperatorConfig())
    template = batch["spec"]["template"]

    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    assert template["spec"]["subdomain"] == service["metadata"]["name"]
    assert first_pod_address(job, RUN) == f"{batch['metadata']['name']}-0.{RUN}.team.svc"


def test_a_task_of_a_run_with_several_nodes_has_one_pod_that_waits_for_no_other():
    job = FineTuneJob.model_validate(JOB)
    for task in (
        build_lookup_job(job, RUN, OperatorConfig()),
        build_data_check_job(job, RUN, 0, "", OperatorConfig()),
    ):
        assert (task["spec"]["completions"], task["spec"]["parallelism"]) == (1, 1)
        assert "PET_NNODES" not in str(task)


def test_the_hash_of_a_job_that_sets_no_nodes_is_the_same_as_with_one():
    assert run_name(a_job({"resources": {"nodes": 1}})) == run_name(a_job())
    assert run_name(a_job()) != RUN
