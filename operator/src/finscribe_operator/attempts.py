"""Explains why an attempt failed, from its pod: termination message, container state, pod status."""

from dataclasses import dataclass, replace

from finscribe_core.constants import CONTAINER_NAME, EXIT_PEER_LOST, EXIT_RETRY, LABEL_NODE_RANK
from finscribe_core.errors import FailureReason
from finscribe_core.report import RunResult
from finscribe_operator.objects import Object, has_ended, label, true_condition

_LAST_LINE_LIMIT = 400
_DISRUPTIONS = {
    "PreemptionByScheduler": (FailureReason.Preempted, "A pod of higher priority took the pod's place"),
    "EvictionByEvictionAPI": (FailureReason.Evicted, "The pod was evicted, as by a drain of its node"),
    "DeletionByTaintManager": (FailureReason.Evicted, "The pod does not tolerate a taint of its node"),
    "DeletionByPodGC": (FailureReason.NodeLost, "The pod's node was deleted or is out of service"),
}
"""Reasons of the condition DisruptionTarget, besides TerminationByKubelet."""
_TERMINATIONS = {
    "Preempting": (FailureReason.Preempted, "A critical pod took the pod's place"),
    "Evicted": (FailureReason.Evicted, "The node evicted the pod"),
    "Terminated": (FailureReason.NodeLost, "The pod's node was shut down"),
    "NodeLost": (FailureReason.NodeLost, "The pod's node does not answer"),
}
"""Reasons of a pod's status that the kubelet gives to a pod that it ends."""
_PRIORITY = "Set spec.pod.priorityClassName to a PriorityClass of higher priority if this happens often."
_NOT_A_REJECTION = "DeadlineExceeded"
"""The only reason of a failed pod's status that is neither an end by its node nor a rejection."""


@dataclass(frozen=True)
class Failure:
    """Why an attempt, or a run, failed."""

    reason: str
    """A FailureReason, or the reason of a newer trainer."""
    message: str
    remedy: str = ""
    counts: bool = True
    """Whether the Job counts the attempt as a failure: not those that a disruption ended."""

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


_PEER_LOST = Failure(
    FailureReason.PeerLost,
    "Another pod of the run has ended or can't be reached, and all start again.",
    "See the logs of the other pods.",
)


def read_result(pod: Object) -> RunResult | None:
    """The trainer's RunResult; None while it runs, or when it was killed before it wrote one."""
    return RunResult.from_termination_message(str(_terminated(pod).get("message", "")))


def explain_failure(pod: Object) -> Failure | None:
    """Why a pod failed; None when it did not."""
    if pod.get("status", {}).get("phase") != "Failed":
        return None
    counts = true_condition(pod, "DisruptionTarget") is None
    if _terminated(pod).get("exitCode") == EXIT_PEER_LOST:
        return replace(_PEER_LOST, counts=False)
    return replace(_PEER_LOST if _counts_for_all(pod) else _explain(pod), counts=counts)


def _counts_for_all(pod: Object) -> bool:
    """Whether a pod, the first one, could not reach another one of its run, and no pod is the cause."""
    has_peers, code = bool(label(pod, LABEL_NODE_RANK)), _terminated(pod).get("exitCode")
    knows_more = read_result(pod) is not None or explain_disruption(pod) is not None
    return has_peers and code == EXIT_RETRY and not knows_more


def explain_disruption(pod: Object) -> Failure | None:
    """What ends or ended the pod from outside: scheduler, node or eviction; None when nothing did."""
    status = pod.get("status", {})
    condition = true_condition(pod, "DisruptionTarget") or {}
    known = _TERMINATIONS.get(status.get("reason", "")) or _DISRUPTIONS.get(condition.get("reason", ""))
    if known is None and not condition:
        return None
    reason, what = known or (FailureReason.Evicted, "The pod was disrupted")
    why = str(status.get("message") or condition.get("message") or condition.get("reason") or "")
    remedy = _PRIORITY if reason == FailureReason.Preempted else _raise_scratch(why)
    details = f": {why.strip().rstrip('.')}" if why else ""
    return Failure(reason, f"{what}{details}.", remedy)


def explain_restart(pod: Object) -> Failure | None:
    """Why the pod's container failed that was, or is about to be, started again; None when none was."""
    status = container_status(pod)
    terminated = _terminated(pod)
    if terminated and not _is_restarted_after(pod, terminated):
        return None
    terminated = terminated or (status.get("lastState") or {}).get("terminated") or {}
    if not terminated:
        return None
    before = {**status, "state": {"terminated": terminated}}
    return _explain({**pod, "status": {**pod["status"], "containerStatuses": [before]}})


def _is_restarted_after(pod: Object, terminated: Object) -> bool:
    """Whether the kubelet, which waits before it does so, starts the container again in its pod.

    Without a rule for that, a pod whose container has ended may run because of another container.
    """
    has_rule = bool(_container(pod).get("restartPolicyRules"))
    return has_rule and terminated.get("exitCode") == EXIT_RETRY and not has_ended(pod)


def container_status(pod: Object) -> Object:
    """The status of the trainer's container; empty before the kubelet has reported one."""
    for status in pod.get("status", {}).get("containerStatuses") or []:
        if status.get("name") == CONTAINER_NAME:
            return dict(status)
    return {}


def _explain(pod: Object) -> Failure:
    terminated = _terminated(pod)
    if terminated.get("reason") == "OOMKilled":
        return _out_of_memory(pod)
    result, disruption = read_result(pod), explain_disruption(pod)
    if result is not None and result.reason not in (None, FailureReason.Interrupted):
        return Failure(str(result.reason), result.message, result.remedy)
    if disruption is not None:
        return disruption
    if result is not None and result.reason is not None:
        return Failure(result.reason, result.message, result.remedy)
    if pod["status"].get("reason", _NOT_A_REJECTION) != _NOT_A_REJECTION:
        return _rejected(pod)
    return _without_result(pod, terminated)


def _terminated(pod: Object) -> Object:
    return dict(container_status(pod).get("state", {}).get("terminated") or {})


def _out_of_memory(pod: Object) -> Failure:
    limit = _container(pod).get("resources", {}).get("limits", {}).get("memory", "its limit")
    return Failure(
        FailureReason.OOMKilled,
        f"The container needed more memory than {limit}.",
        "Raise spec.resources.memory, or lower spec.training.perDeviceTrainBatchSize or "
        "spec.training.dataloaderNumWorkers.",
    )


def _raise_scratch(message: str) -> str:
    """The remedy for a pod that used more local storage than it requested, else nothing."""
    words = ("ephemeral", "emptyDir", "EmptyDir", "disk")
    scratch = any(word in message for word in words) and 'volume "tmp"' not in message
    return "Raise spec.resources.scratch." if scratch else ""


def _rejected(pod: Object) -> Failure:
    """A pod that its node refused, which Kubernetes does not mark as disrupted."""
    status, node = pod["status"], pod.get("spec", {}).get("nodeName") or "NODE"
    why = str(status.get("message") or "no message").strip().rstrip(".")
    return Failure(
        FailureReason.NodeRejected,
        f"Node {node} rejected the pod ({status['reason']}: {why}).",
        f"See `kubectl describe node {node}`. Until it is repaired, `kubectl cordon {node}` sends the next "
        "attempts elsewhere; raise spec.backoffLimit, as Kubernetes counts rejections.",
    )


def _without_result(pod: Object, terminated: Object) -> Failure:
    name = pod["metadata"]["name"]
    code = terminated.get("exitCode")
    how = f"ended with exit code {code}" if code is not None else "ended"
    lines = str(terminated.get("message", "")).strip().splitlines()
    last_line = f" Its last line: {lines[-1][:_LAST_LINE_LIMIT]}" if lines else ""
    reason = str(pod["status"].get("message") or pod["status"].get("reason") or "")
    return Failure(
        FailureReason.InternalError,
        f"The trainer {how} and wrote no result{f' ({reason})' if reason else ''}.{last_line}",
        f"See `kubectl logs {name} -n {pod['metadata'].get('namespace', 'default')}`.",
    )


def _container(pod: Object) -> Object:
    containers = pod.get("spec", {}).get("containers") or []
    return next((dict(c) for c in containers if c.get("name") == CONTAINER_NAME), {})
