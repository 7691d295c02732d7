"""Registers nodes and keeps them ready, in place of kubelets."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from kubernetes import client

CAPACITY = {
    "cpu": "8",
    "memory": "64Gi",
    "ephemeral-storage": "200Gi",
    "nvidia.com/gpu": "1",
    "pods": "10",
}
HEARTBEAT_SECONDS = 1.0


class FakeNode:
    """A node with room for one run, which reports that it is ready until it is silenced."""

    def __init__(self, core: client.CoreV1Api, name: str) -> None:
        self.name = name
        self._core = core
        self._silent = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat)

    def start(self) -> None:
        self._core.create_node(
            {"metadata": {"name": self.name, "labels": {"kubernetes.io/hostname": self.name}}}
        )
        self._thread.start()

    def stop(self) -> None:
        self._end.set()
        self._thread.join()
        self._core.delete_node(self.name)

    def silence(self) -> None:
        """Report nothing any more, as a node without power or network."""
        self._silent.set()

    def return_(self) -> None:
        self._silent.clear()

    def taint(self, key: str, value: str = "") -> None:
        """Add a NoExecute taint to those that the control plane has set."""
        taints = self._core.read_node(self.name).spec.taints or []
        mine = {"key": key, "value": value, "effect": "NoExecute"}
        self._core.patch_node(self.name, {"spec": {"taints": [*map(_plain, taints), mine]}})

    def untaint(self, key: str) -> None:
        taints = self._core.read_node(self.name).spec.taints or []
        self._core.patch_node(
            self.name, {"spec": {"taints": [_plain(taint) for taint in taints if taint.key != key]}}
        )

    def _beat(self) -> None:
        while not self._end.wait(HEARTBEAT_SECONDS):
            if self._silent.is_set():
                continue
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": now}
            status = {"capacity": CAPACITY, "allocatable": CAPACITY, "conditions": [ready]}
            self._core.patch_node_status(self.name, {"status": status})


def _plain(taint: client.V1Taint) -> dict[str, Any]:
    return {"key": taint.key, "value": taint.value, "effect": taint.effect}


@contextmanager
def fake_node(core: client.CoreV1Api, name: str) -> Iterator[FakeNode]:
    node = FakeNode(core, name)
    node.start()
    try:
        yield node
    finally:
        node.stop()
