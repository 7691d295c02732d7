"""The pods of a run, and which of them belong to which attempt."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from finscribe_client.errors import ClientError, ClientReason
from finscribe_core.constants import CONTAINER_NAME, LABEL_NODE_RANK


@dataclass(frozen=True)
class Pod:
    """A pod of a run."""

    raw: dict[str, Any]

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.raw["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return str(self.raw["metadata"].get("namespace", "default"))

    @property
    def node(self) -> int:
        """Its number among the pods of an attempt with several nodes; else 0."""
        labels = self.raw["metadata"].get("labels") or {}
        return int(labels.get(LABEL_NODE_RANK, 0))

    @property
    def created(self) -> str:
        """When it was created (RFC 3339)."""
        return str(self.raw["metadata"].get("creationTimestamp") or "")

    @property
    def has_ended(self) -> bool:
        """Whether it will write no more."""
        return self.raw.get("status", {}).get("phase") in ("Succeeded", "Failed")

    @property
    def waits_for(self) -> str:
        """Why its container has not started; empty if it has."""
        status = self.raw.get("status", {})
        for container in status.get("containerStatuses") or []:
            if container.get("name") == CONTAINER_NAME:
                waiting = container.get("state", {}).get("waiting")
                return (
                    f"{waiting.get('reason', 'Waiting')}: {waiting.get('message', '')}".rstrip(": ")
                    if waiting
                    else ""
                )
        return "" if status.get("phase") in ("Running", "Succeeded", "Failed") else "it has no node yet"


@dataclass(frozen=True)
class LogOptions:
    """Which part of a log is read."""

    follow: bool = False
    """Wait for more lines until the container ends."""
    tail: int | None = None
    """Only so many last lines."""
    since_seconds: int | None = None
    """Only lines that are not older."""


def choose_attempt(pods: Sequence[Pod], attempt: int | None, node: int, *, previous: bool) -> Pod:
    """The pod of an attempt.

    Args:
        pods: those of a run that still exist, oldest first.
        attempt: its number, from 1 on; the newest if None.
        node: number of the node, for a run with several.
        previous: the attempt before the newest.

    Raises:
        ClientError: NotFound.
    """
    of_node = [pod for pod in pods if pod.node == node]
    number = attempt if attempt is not None else len(of_node) - previous
    if 1 <= number <= len(of_node):
        return of_node[number - 1]
    nodes = sorted({pod.node for pod in pods})
    if pods and not of_node:
        message = f"No pod has the number {node}: there are {nodes[0]} to {nodes[-1]}."
        raise ClientError(ClientReason.NotFound, message)
    message = f"There is no such attempt: {len(of_node)} still have a pod."
    raise ClientError(ClientReason.NotFound, message, "The pods of earlier attempts may have been deleted.")
