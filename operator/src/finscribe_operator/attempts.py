"""Explains why an attempt failed, from its pod: termination message, container state, pod status."""

from dataclasses import dataclass

from finscribe_core.constants import CONTAINER_NAME
from finscribe_core.errors import FailureReason
from finscribe_core.report import RunResult
from finscribe_operator.objects import Object

_LAST_LINE_LIMIT = 400


@dataclass(frozen=True)
class Failure:
    """Why an attempt, or a run, failed."""

    reason: FailureReason
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


def read_result(pod: Object) -> RunResult | None:
    """The trainer's RunResult; None while it runs, or when it was killed before it wrote one."""
    return RunResult.from_termination_message(str(_terminated(pod).get("message", "")))


def explain_failure(pod: Object) -> Failure | None:
    """Why a pod failed; None when it did not."""
    if pod.get("status", {}).get("phase") != "Failed":
        return None
    terminated = _terminated(pod)
    if terminated.get("reason") == "OOMKilled":
        return _out_of_memory(pod)
    if pod["status"].get("reason") == "Evicted":
        return _evicted(pod)
    result = read_result(pod)
    if result is not None and result.reason is not None:
        return Failure(result.reason, result.message, result.remedy)
    return _without_result(pod, terminated)


def container_status(pod: Object) -> Object:
    """The status of the trainer's container; empty before the kubelet has reported one."""
    for status in pod.get("status", {}).get("containerStatuses") or []:
        if status.get("name") == CONTAINER_NAME:
            return dict(status)
    return {}


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


def _evicted(pod: Object) -> Failure:
    message = str(pod["status"].get("message", "")).strip()
    words = ("ephemeral", "emptyDir", "EmptyDir", "disk")
    scratch = any(word in message for word in words) and 'volume "tmp"' not in message
    return Failure(
        FailureReason.Evicted,
        f"The node evicted the pod: {message.rstrip('.') or 'no reason given'}.",
        "Raise spec.resources.scratch." if scratch else "",
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
