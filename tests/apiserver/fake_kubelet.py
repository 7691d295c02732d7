"""Writes pod statuses in place of a kubelet, and serves `/progress` in place of the trainer.

Every pod gets a loopback address of its own, on which a real HTTP server answers.
"""

import itertools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from kubernetes import client

from finscribe_core.constants import CONTAINER_NAME, HTTP_PORT
from finscribe_core.report import ProgressReport, RunResult

# Not those of other test processes that run at the same time. Several threads may use the iterator.
_addresses = map(
    "127.{0[0]}.{0[1]}.{0[2]}".format,
    itertools.product([1 + os.getpid() % 250], range(1, 255), range(1, 255)),
)


class FakeKubelet:
    def __init__(self, core: client.CoreV1Api, namespace: str) -> None:
        self._core = core
        self._namespace = namespace

    def report_unschedulable(self, pod: str, message: str) -> None:
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
        self._patch_status(pod, {"phase": "Pending", "conditions": [condition]})

    def report_waiting(self, pod: str, reason: str = "ContainerCreating", message: str = "") -> None:
        self._bind(pod)
        waiting = {"reason": reason} | ({"message": message} if message else {})
        self._patch_status(pod, {"phase": "Pending", **_container({"waiting": waiting})})

    def report_running(self, pod: str) -> str:
        """Report the container as running; returns the pod's address."""
        self._bind(pod)
        address = next(_addresses)
        state = {"running": {"startedAt": _now()}}
        self._patch_status(
            pod,
            {
                "phase": "Running",
                "conditions": [_SCHEDULED, {"type": "Ready", "status": "True"}],
                "podIP": address,
                "podIPs": [{"ip": address}],
                "startTime": _now(),
                **_container(state),
            },
        )
        return address

    def warn(self, pod: str, reason: str, message: str) -> None:
        """Post a Warning Event about the pod."""
        uid = self._core.read_namespaced_pod(pod, self._namespace).metadata.uid
        involved = {"kind": "Pod", "namespace": self._namespace, "name": pod, "uid": uid}
        event = {"type": "Warning", "reason": reason, "message": message, "lastTimestamp": _now()}
        body = {"metadata": {"generateName": f"{pod}."}, "involvedObject": involved, **event}
        self._core.create_namespaced_event(self._namespace, body)

    def report_succeeded(self, pod: str, result: RunResult) -> None:
        self._ended(pod, 0, "Completed", result.to_termination_message())

    def report_failed(self, pod: str, exit_code: int, message: str = "", reason: str = "Error") -> None:
        self._ended(pod, exit_code, reason, message)

    def report_back_off(self, pod: str, restarts: int, exit_code: int, message: str) -> None:
        """Report that the container has failed, and will be started again in its pod after a pause, which a
        kubelet does not report as such at first.
        """
        ended = {"terminated": _terminated(exit_code, "Error", message)}
        self._patch_status(pod, {"phase": "Running", **_container(ended, None, restarts)})

    def report_restarted(self, pod: str, restarts: int, exit_code: int, message: str) -> None:
        """Report that the container has failed, and was started again in its pod."""
        last = _terminated(exit_code, "Error", message)
        ended = _container({"terminated": last}, None, restarts - 1)
        self._patch_status(pod, {"phase": "Running", **ended})
        running = {"running": {"startedAt": _now()}}
        self._patch_status(pod, {"phase": "Running", **_container(running, last, restarts)})

    def report_disrupted(self, pod: str, exit_code: int, reason: str, message: str) -> None:
        """Report the end of a container that the scheduler, an eviction or the node's shutdown ended."""
        self._ended(pod, exit_code, "Error", "", [_disruption(reason, message)])

    def report_stopped(self, pod: str, exit_code: int) -> None:
        """Report the end of a pod that is being deleted; what the control plane says of it is kept."""
        conditions = self._core.api_client.sanitize_for_serialization(
            self._core.read_namespaced_pod(pod, self._namespace).status.conditions
        )
        self._ended(pod, exit_code, "Error", "", [c for c in conditions if c["type"] == "DisruptionTarget"])

    def shut_down_node(self, pod: str, exit_code: int) -> None:
        """Report the end of a pod that its kubelet has stopped because the node is shut down."""
        message = "Pod was terminated in response to imminent node shutdown."
        disruption = _disruption("TerminationByKubelet", message)
        self._ended(pod, exit_code, "Error", "", [disruption], reason_of_pod="Terminated")

    def reject(self, pod: str, reason: str, message: str) -> None:
        """Reject a pod before it starts, as a kubelet without room or a working device plugin does."""
        self._bind(pod)
        self._patch_status(pod, {"phase": "Failed", "reason": reason, "message": message})

    def report_ready(self, pod: str) -> None:
        """Set a running pod ready again, as a kubelet that is back does."""
        self._patch_status(pod, {"conditions": [_SCHEDULED, {"type": "Ready", "status": "True"}]})

    def lose_node(self, pod: str) -> None:
        """Set the pod not ready without a reason, as the control plane does once its node is silent."""
        self._patch_status(pod, {"conditions": [_SCHEDULED, {"type": "Ready", "status": "False"}]})

    def fail_orphan(self, pod: str) -> None:
        """Fail the pod of a deleted node, as the garbage collector of pods does before it removes it."""
        gone = _disruption("DeletionByPodGC", "PodGC: node no longer exists")
        self._patch_status(pod, {"phase": "Failed", "conditions": [_SCHEDULED, gone]})

    def remove(self, pod: str) -> None:
        """Remove a pod that is being deleted, as a kubelet does once its container has ended."""
        self._core.delete_namespaced_pod(pod, self._namespace, grace_period_seconds=0)

    def _bind(self, pod: str) -> None:
        """Bind the pod to a node, as the scheduler does, unless it is bound."""
        if not self._core.read_namespaced_pod(pod, self._namespace).spec.node_name:
            body = {"metadata": {"name": pod}, "target": {"kind": "Node", "name": "node1"}}
            # The response is a Status, which the client would parse as a Binding without a target.
            self._core.create_namespaced_pod_binding(pod, self._namespace, body, _preload_content=False)

    def _ended(
        self,
        pod: str,
        exit_code: int,
        reason: str,
        message: str,
        conditions: Sequence[dict[str, Any]] = (),
        reason_of_pod: str | None = None,
    ) -> None:
        phase = "Failed" if exit_code else "Succeeded"
        ended = _container({"terminated": _terminated(exit_code, reason, message)})
        status = {"phase": phase, "reason": reason_of_pod, "conditions": [_SCHEDULED, *conditions], **ended}
        self._patch_status(pod, status)

    def _patch_status(self, pod: str, status: dict[str, Any]) -> None:
        self._core.patch_namespaced_pod_status(
            pod, self._namespace, {"status": status}, _content_type="application/merge-patch+json"
        )


_SCHEDULED = {"type": "PodScheduled", "status": "True"}


def _disruption(reason: str, message: str) -> dict[str, Any]:
    return {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": message}


def _terminated(exit_code: int, reason: str, message: str) -> dict[str, Any]:
    times = {"startedAt": _now(), "finishedAt": _now()}
    return {"exitCode": exit_code, "reason": reason, "message": message, **times}


def _container(
    state: dict[str, Any], last: dict[str, Any] | None = None, restarts: int = 0
) -> dict[str, Any]:
    status = {
        "name": CONTAINER_NAME,
        "ready": "running" in state,
        "restartCount": restarts,
        "state": state,
        "image": "finscribe/trainer:test",
        "imageID": "sha256:0",
    }
    return {"containerStatuses": [status | ({"lastState": {"terminated": last}} if last else {})]}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class TrainerEndpoint:
    """What a trainer serves on its port; tests change `report` to simulate progress."""

    def __init__(self, report: ProgressReport) -> None:
        self.report = report
        self.requests = 0
        self.change: Callable[[int], ProgressReport] | None = None
        """Makes the report of each request, from the number of requests before it."""

    def answer(self) -> ProgressReport:
        """The report of one request."""
        report = self.report if self.change is None else self.change(self.requests)
        self.report = report.model_copy(update={"run": self.report.run})
        self.requests += 1
        return self.report


@contextmanager
def serving_progress(address: str, report: ProgressReport) -> Iterator[TrainerEndpoint]:
    endpoint = TrainerEndpoint(report)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = endpoint.answer().model_dump_json(by_alias=True).encode()
            self.send_response(200 if self.path == "/progress" else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer((address, HTTP_PORT), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,))
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
