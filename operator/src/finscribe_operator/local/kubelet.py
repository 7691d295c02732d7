"""Runs a pod's container as a local process and updates the pod's status, in place of the kubelet."""

import asyncio
from collections.abc import Callable
from typing import Any

from finscribe_core.constants import TERMINATION_LOG_LIMIT
from finscribe_operator.clock import utc_now
from finscribe_operator.local.container import Container, Machine, build_container
from finscribe_operator.local.object_files import ObjectFiles
from finscribe_operator.local.process import LocalProcess
from finscribe_operator.objects import Object

LOG_TAIL_LIMIT = 2048
"""Bytes of log that replace a missing termination message, as with the real kubelet."""
EXIT_START_ERROR = 128


class Kubelet:
    """Runs pods. `publish` stores a pod and emits a watch event."""

    def __init__(self, machine: Machine, objects: ObjectFiles, publish: Callable[[Object], Object]) -> None:
        self._machine = machine
        self._objects = objects
        self._publish = publish
        self._running: dict[str, LocalProcess] = {}
        self._ports: dict[str, int] = {}

    async def run(self, pod: Object) -> Object:
        """Run the pod to its end and return it. When cancelled, terminates the process gracefully first.

        The pod is published once it runs: there is no scheduling and no image to pull.
        """
        name = pod["metadata"]["name"]
        started_at = utc_now()
        try:
            container = build_container(self._machine, self._objects, pod)
            process = await LocalProcess.start(container.command)
        except OSError as error:
            return self._publish(_ended(pod, started_at, EXIT_START_ERROR, "StartError", str(error)))
        self._running[name], self._ports[name] = process, container.port
        try:
            pod = self._publish(_running(pod, started_at))
            code = await process.wait()
        except asyncio.CancelledError:
            try:
                pod = self._publish({**pod, "metadata": {**pod["metadata"], "deletionTimestamp": utc_now()}})
            finally:  # also when the disk is full
                code = await process.stop()
            self._publish(_terminated(pod, started_at, code, container))
            raise
        finally:
            del self._running[name], self._ports[name]
        return self._publish(_terminated(pod, started_at, code, container))

    def port(self, pod_name: str) -> int | None:
        """The HTTP port of a running pod on 127.0.0.1; None when it does not run."""
        return self._ports.get(pod_name)

    def kill_all(self) -> None:
        """Kill every process, without waiting for a checkpoint."""
        for process in self._running.values():
            process.kill()


def _running(pod: Object, started_at: str) -> Object:
    return _with_status(pod, "Running", {"running": {"startedAt": started_at}}, ready=True)


def _terminated(pod: Object, started_at: str, code: int, container: Container) -> Object:
    message = _termination_message(pod, code, container)
    return _ended(pod, started_at, code, "Completed" if code == 0 else "Error", message)


def _ended(pod: Object, started_at: str, code: int, reason: str, message: str) -> Object:
    terminated: dict[str, Any] = {
        "exitCode": code,
        "reason": reason,
        "startedAt": started_at,
        "finishedAt": utc_now(),
    }
    if message:
        terminated["message"] = message
    phase = "Succeeded" if code == 0 else "Failed"
    return _with_status(pod, phase, {"terminated": terminated}, ready=False)


def _with_status(pod: Object, phase: str, state: Object, *, ready: bool) -> Object:
    spec = pod["spec"]["containers"][0]
    now = utc_now()
    kept = [
        c for c in pod.get("status", {}).get("conditions", []) if c["type"] not in ("Ready", "PodScheduled")
    ]
    conditions = [
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": now},
        {"type": "Ready", "status": str(ready), "lastTransitionTime": now},
    ]
    container_status = {
        "name": spec["name"],
        "image": spec.get("image", ""),
        "imageID": "",
        "ready": ready,
        "started": ready,
        "restartCount": 0,
        "state": state,
    }
    status = {
        **pod.get("status", {}),
        "phase": phase,
        "podIP": "127.0.0.1",
        "hostIP": "127.0.0.1",
        "startTime": pod.get("status", {}).get("startTime", now),
        "conditions": [*kept, *conditions],
        "containerStatuses": [container_status],
    }
    return {**pod, "status": status}


def _termination_message(pod: Object, code: int, container: Container) -> str:
    """The termination message; after a failure without one the end of the log, if the pod allows it."""
    message = _tail(container.termination_log, TERMINATION_LOG_LIMIT)
    spec = pod["spec"]["containers"][0]
    if message or code == 0 or spec.get("terminationMessagePolicy") != "FallbackToLogsOnError":
        return message
    return _tail(container.command.log_file, LOG_TAIL_LIMIT)


def _tail(path: Any, limit: int) -> str:
    data: bytes = path.read_bytes()
    return data[-limit:].decode(errors="replace")
