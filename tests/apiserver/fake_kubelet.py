"""Plays the kubelet: says in a pod's status what happens to its container.

Every pod gets a loopback address of its own, where a real HTTP server answers for the trainer.
"""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from kubernetes import client

from finscribe_core.constants import CONTAINER_NAME, HTTP_PORT
from finscribe_core.report import ProgressReport, RunResult

_addresses = (f"127.0.{high}.{low}" for high, low in itertools.product(range(77, 256), range(1, 255)))


class FakeKubelet:
    def __init__(self, core: client.CoreV1Api, namespace: str) -> None:
        self._core = core
        self._namespace = namespace

    def unschedulable(self, pod: str, message: str) -> None:
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
        self._patch_status(pod, {"phase": "Pending", "conditions": [condition]})

    def waiting(self, pod: str, reason: str = "ContainerCreating", message: str = "") -> None:
        self._bind(pod)
        waiting = {"reason": reason} | ({"message": message} if message else {})
        self._patch_status(
            pod, {"phase": "Pending", "conditions": [_SCHEDULED], **_container({"waiting": waiting})}
        )

    def running(self, pod: str) -> str:
        """Let the container run; returns the pod's address."""
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

    def succeeded(self, pod: str, result: RunResult) -> None:
        self._ended(pod, 0, "Completed", result.to_termination_message())

    def failed(self, pod: str, exit_code: int, message: str = "", reason: str = "Error") -> None:
        self._ended(pod, exit_code, reason, message)

    def gone(self, pod: str) -> None:
        """The container of a pod that is being deleted has ended: a kubelet then removes the pod."""
        self._core.delete_namespaced_pod(pod, self._namespace, grace_period_seconds=0)

    def _bind(self, pod: str) -> None:
        """What the scheduler does, once."""
        if not self._core.read_namespaced_pod(pod, self._namespace).spec.node_name:
            body = {"metadata": {"name": pod}, "target": {"kind": "Node", "name": "node1"}}
            # The answer is a Status, which the client takes for a Binding that lacks its target.
            self._core.create_namespaced_pod_binding(pod, self._namespace, body, _preload_content=False)

    def _ended(self, pod: str, exit_code: int, reason: str, message: str) -> None:
        terminated = {
            "exitCode": exit_code,
            "reason": reason,
            "message": message,
            "startedAt": _now(),
            "finishedAt": _now(),
        }
        phase = "Failed" if exit_code else "Succeeded"
        self._patch_status(
            pod, {"phase": phase, "conditions": [_SCHEDULED], **_container({"terminated": terminated})}
        )

    def _patch_status(self, pod: str, status: dict[str, Any]) -> None:
        self._core.patch_namespaced_pod_status(
            pod, self._namespace, {"status": status}, _content_type="application/merge-patch+json"
        )


_SCHEDULED = {"type": "PodScheduled", "status": "True"}


def _container(state: dict[str, Any]) -> dict[str, Any]:
    image = {"image": "finscribe/trainer:test", "imageID": "sha256:0"}
    ready = "running" in state
    return {
        "containerStatuses": [
            {"name": CONTAINER_NAME, "ready": ready, "restartCount": 0, "state": state, **image}
        ]
    }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class TrainerEndpoint:
    """What a trainer serves on its port; a test changes `report` as the training goes on."""

    def __init__(self, report: ProgressReport) -> None:
        self.report = report


@contextmanager
def serving_progress(address: str, report: ProgressReport) -> Iterator[TrainerEndpoint]:
    endpoint = TrainerEndpoint(report)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = endpoint.report.model_dump_json(by_alias=True).encode()
            self.send_response(200 if self.path == "/progress" else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer((address, HTTP_PORT), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,))
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
