"""What the Running condition says of a run whose pod is missing, silent, interrupted or lost."""

from dataclasses import dataclass, field

import pytest

from finscribe_core.api.v1alpha1 import FineTuneJobStatus
from finscribe_core.errors import FailureReason
from finscribe_core.report import Phase, Progress, ProgressReport
from finscribe_operator.events import build_events
from finscribe_operator.objects import Object, key_of
from finscribe_operator.observe import Observed, observe
from finscribe_operator.status import build_status
from finscribe_operator.store import Store
from finscribe_operator.warning_events import WarningEvent
from tests.unit.operator.builders import (
    EARLIER,
    NOW,
    a_batch_job,
    a_failure,
    a_job,
    a_pod,
    failed,
    run_name,
)

JOB = a_job()
RUN = run_name(JOB)
REPORT = ProgressReport(
    run=RUN, progress=Progress(phase=Phase.Training, step=42, total_steps=100, percent=42, eta_seconds=60)
)
NO_PRIORITY = 'Error creating: pods "x" is forbidden: no PriorityClass with name urgent was found'
GIVE_UP = ("kubectl get node node-1", "out-of-service", "by force is not enough")
READY = {"type": "Ready", "status": "True"}
STOPPED = a_failure(FailureReason.Interrupted, "Stopped by a signal.", "")
NOT_READY = {"type": "Ready", "status": "False"}
PREEMPTED = {
    "type": "DisruptionTarget",
    "status": "True",
    "reason": "PreemptionByScheduler",
    "message": "preempting",
}


@dataclass(frozen=True)
class Case:
    """What is observed, and the expected state, status and reason of Running, and words of its message."""

    state: str
    running: str
    reason: str
    words: tuple[str, ...]
    pods: tuple[Object, ...] = ()
    silent_since: str = ""
    creation_failure: str = ""
    batch: Object = field(default_factory=lambda: a_batch_job(RUN))


CASES = {
    "a pod that can't be created": Case(
        "Pending",
        "False",
        "PodCreationFailed",
        ("no PriorityClass with name urgent", "spec.pod.priorityClassName"),
        creation_failure=NO_PRIORITY,
    ),
    "a next attempt whose pod can't be created": Case(
        "Pending",
        "False",
        "PodCreationFailed",
        ("no PriorityClass",),
        pods=(a_pod(RUN, failed(1)),),
        creation_failure=NO_PRIORITY,
    ),
    "a pod that was created after all": Case(
        "Running", "True", "Training", ("Step 42",), pods=(a_pod(RUN),), creation_failure=NO_PRIORITY
    ),
    "an attempt that was preempted": Case(
        "Retrying",
        "False",
        "Retrying",
        ("does not count as a failure", "from its last checkpoint", "Preempted: A pod of higher"),
        pods=(a_pod(RUN, failed(75, STOPPED) | {"conditions": [PREEMPTED]}),),
    ),
    "a pod that is being preempted": Case(
        "Running",
        "True",
        "Stopping",
        ("saves a checkpoint", "Preempted: A pod of higher"),
        pods=(a_pod(RUN, {"conditions": [PREEMPTED]}, deletionTimestamp=NOW),),
    ),
    "a pod that does not answer": Case(
        "Running",
        "True",
        "ProgressUnknown",
        (f"since {EARLIER}", "Step 42 of 100", f"kubectl logs {RUN}-0", "NetworkPolicy", *GIVE_UP),
        pods=(a_pod(RUN, {"conditions": [READY]}),),
        silent_since=EARLIER,
    ),
    "a pod whose node does not answer": Case(
        "Unknown",
        "Unknown",
        "NodeUnreachable",
        ("Node node-1 is not ready or does not answer", *GIVE_UP),
        pods=(a_pod(RUN, {"conditions": [NOT_READY]}),),
    ),
    "a pod that waits for a sidecar, as its kubelet says": Case(
        "Running",
        "True",
        "Training",
        ("Step 42",),
        pods=(a_pod(RUN, {"conditions": [NOT_READY | {"reason": "ContainersNotReady"}]}),),
    ),
    "a pod of phase Unknown": Case(
        "Unknown", "Unknown", "NodeUnreachable", GIVE_UP, pods=(a_pod(RUN, {"phase": "Unknown"}),)
    ),
    "a pod that an unreachable node should end": Case(
        "Unknown",
        "Unknown",
        "NodeUnreachable",
        ("does not answer", *GIVE_UP),
        pods=(a_pod(RUN, {"conditions": [NOT_READY]}, deletionTimestamp=NOW),),
    ),
    "a pod that is still there long after its deletion": Case(
        "Unknown",
        "Unknown",
        "NodeUnreachable",
        (f"should have ended by {EARLIER}", *GIVE_UP),
        pods=(a_pod(RUN, deletionTimestamp=EARLIER),),
        silent_since=EARLIER,
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_status_describes(case: Case):
    status = status_of(case)
    running = next(c for c in status.conditions if c.type == "Running")

    assert (status.summary.state, running.status, running.reason) == (case.state, case.running, case.reason)
    for words in case.words:
        assert words in running.message


def test_a_silent_pod_has_no_estimate_of_the_time_left():
    silences = ("", EARLIER)

    etas = [status_of(Case("", "", "", (), (a_pod(RUN),), since)).summary.eta for since in silences]

    assert etas == ["1m", "-"]


def test_a_process_of_this_machine_that_does_not_answer_is_on_no_node():
    pod = a_pod(RUN, deletionTimestamp=EARLIER)
    silent = a_pod(RUN)
    del pod["spec"]["nodeName"], silent["spec"]["nodeName"]

    statuses = [status_of(Case("", "", "", (), (p,), EARLIER)) for p in (pod, silent)]
    texts = [next(c.message for c in status.conditions if c.type == "Running") for status in statuses]

    assert "saves a checkpoint" in texts[0] and "No answer" in texts[1]
    assert "node" not in texts[0] + texts[1]


def test_each_cause_of_a_missing_pod_is_posted_once():
    quota = 'Error creating: pods "{}" is forbidden: exceeded quota: gpus, used: {}, limited: 8'
    messages = [quota.format("a", 7), quota.format("b", 8), NO_PRIORITY, NO_PRIORITY, ""]
    status, posted = FineTuneJobStatus(), []
    for message in messages:
        new = status_of(Case("", "", "", (), creation_failure=message))
        posted.append([e.message for e in build_events(status, new) if e.type == "Warning"])
        status = new

    assert [len(texts) for texts in posted] == [1, 0, 1, 0, 0]
    assert "used: 7" in posted[0][0] and "no PriorityClass" in posted[2][0]


def status_of(case: Case) -> FineTuneJobStatus:
    store = Store()
    for obj in (JOB, case.batch, *case.pods):
        store.put(obj)
    for pod in case.pods:
        store.put_report(pod, REPORT, NOW)
        if case.silent_since:
            store.put_silence(pod, case.silent_since)
    if case.creation_failure:
        store.put_warning(case.batch, WarningEvent("uid", "FailedCreate", case.creation_failure, NOW))
    observed = observe(store, key_of(JOB))
    assert isinstance(observed, Observed)
    return build_status(observed, NOW)
