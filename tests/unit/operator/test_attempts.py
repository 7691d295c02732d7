"""Why an attempt ended: by its trainer, by its node, or by a disruption, which does not count."""

from dataclasses import dataclass

import pytest

from finscribe_core.errors import FailureReason
from finscribe_core.report import RunResult
from finscribe_operator.attempts import explain_failure
from finscribe_operator.objects import Object
from tests.unit.operator.builders import a_failure, a_pod, failed

STOPPED = failed(75, a_failure(FailureReason.Interrupted, "Stopped by a signal.", ""))
KILLED = failed(137)


def disrupted(reason: str, message: str = "", status: Object = KILLED) -> Object:
    condition = {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": message}
    return {"phase": "Failed", **status, "conditions": [condition]}


def by_node(reason: str, message: str) -> Object:
    """A pod that its kubelet ended, or rejected, without a status of its container."""
    return {"phase": "Failed", "reason": reason, "message": message, "containerStatuses": None}


@dataclass(frozen=True)
class Case:
    """A pod's status, and the expected reason, words, and whether it counts."""

    status: Object
    reason: str
    words: tuple[str, ...]
    counts: bool


CASES = {
    "preempted, and the trainer saved a checkpoint": Case(
        disrupted("PreemptionByScheduler", "preempting to accommodate a higher priority pod", STOPPED),
        "Preempted",
        ("higher priority took the pod's place", "preempting to", "spec.pod.priorityClassName"),
        False,
    ),
    "preempted, and killed before it wrote a result": Case(
        disrupted("PreemptionByScheduler"), "Preempted", ("higher priority",), False
    ),
    "preempted by the kubelet": Case(
        disrupted("TerminationByKubelet", status=by_node("Preempting", "Preempted to admit critical pod")),
        "Preempted",
        ("critical pod",),
        False,
    ),
    "drained": Case(
        disrupted("EvictionByEvictionAPI", "Eviction API: evicting"), "Evicted", ("drain",), False
    ),
    "evicted by a taint": Case(
        disrupted("DeletionByTaintManager", "Taint manager: deleting"), "Evicted", ("taint",), False
    ),
    "evicted from a full node": Case(
        disrupted("TerminationByKubelet", status=by_node("Evicted", "The node was low on resource: memory.")),
        "Evicted",
        ("low on resource: memory",),
        False,
    ),
    "evicted for its own use of the disk": Case(
        by_node("Evicted", 'Usage of EmptyDir volume "work" exceeds the limit "50Gi".'),
        "Evicted",
        ("spec.resources.scratch",),
        True,
    ),
    "the node was shut down": Case(
        disrupted("TerminationByKubelet", status=by_node("Terminated", "imminent node shutdown.")),
        "NodeLost",
        ("shut down", "imminent"),
        False,
    ),
    "the node was deleted": Case(
        disrupted("DeletionByPodGC", "PodGC: node no longer exists"), "NodeLost", ("no longer exists",), False
    ),
    "a disruption of a later Kubernetes": Case(
        disrupted("DeletionByDeviceTaintManager"), "Evicted", ("DeletionByDeviceTaintManager",), False
    ),
    "the trainer failed by itself during a disruption": Case(
        disrupted("EvictionByEvictionAPI", status=failed(75, a_failure(FailureReason.DiskFull, "Full.", ""))),
        "DiskFull",
        ("Full.",),
        False,
    ),
    "a signal without a disruption": Case(STOPPED, "Interrupted", ("by a signal",), True),
    "a defect of the trainer": Case(KILLED, "InternalError", ("exit code 137",), True),
}
REJECTIONS = {
    "UnexpectedAdmissionError": "Allocate failed due to requested number of devices unavailable",
    "OutOfcpu": "Node didn't have enough resource: cpu, requested: 8000, used: 4, capacity: 4000",
    "OutOfmemory": "Node didn't have enough resource: memory",
    "OutOfnvidia.com/gpu": "Node didn't have enough resource: nvidia.com/gpu",
    "NodeShutdown": "Pod was rejected as the node is shutting down.",
    "NodeAffinity": "Predicate NodeAffinity failed",
    "TopologyAffinityError": "Resources cannot be allocated with Topology locality",
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_an_attempt_was(case: Case):
    failure = explain_failure(a_pod("run-1", case.status))

    assert failure is not None
    assert (failure.reason, failure.counts) == (case.reason, case.counts)
    for words in case.words:
        assert words in str(failure)


@pytest.mark.parametrize("reason", REJECTIONS)
def test_a_rejection_by_the_node_is_named_as_such_with_the_node_and_counts(reason: str):
    failure = explain_failure(a_pod("run-1", by_node(reason, f"Pod was rejected: {REJECTIONS[reason]}")))

    assert failure is not None
    assert (failure.reason, failure.counts) == ("NodeRejected", True)
    for words in (reason, REJECTIONS[reason].rstrip("."), "kubectl cordon node-1", "spec.backoffLimit"):
        assert words in str(failure)


def test_the_reason_and_message_of_a_newer_trainer_are_kept():
    result = RunResult(succeeded=False, reason="TokenizerMismatch", message="No token.", remedy="Convert it.")
    text = result.to_termination_message().replace('"Starting"', '"Distilling"')

    failure = explain_failure(a_pod("run-1", failed(78, text)))

    assert failure is not None
    assert (failure.reason, str(failure)) == ("TokenizerMismatch", "No token. Convert it.")
    assert result.known_reason == FailureReason.InternalError
