"""Reads from the API server's audit log what an operator has asked for, and what it had no right to."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.apiserver.installation import SYSTEM_NAMESPACE

POLICY: dict[str, Any] = {
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Metadata", "userGroups": [f"system:serviceaccounts:{SYSTEM_NAMESPACE}"]},
        {"level": "None"},
    ],
}
"""What the API server has to log for this."""


@dataclass(frozen=True, order=True)
class Request:
    """What RBAC decides about."""

    group: str
    resource: str
    """With its subresource, as in a role."""
    verb: str
    own_namespace: bool
    """Whether it is about an object in the operator's own namespace."""
    name: str
    """The object's name where rights depend on it, in the operator's own namespace; else empty."""
    allowed: bool


def read_requests(log: Path) -> set[Request]:
    """The requests for objects; not those for the API server's own pages, which every account may read."""
    return {_request(entry) for entry in _entries(log) if "objectRef" in entry}


def read_forbidden(log: Path) -> list[str]:
    """The requests that the operator had no right to."""
    return [
        f"{entry['verb']} {entry['requestURI']}" for entry in _entries(log) if _decision(entry) == "forbid"
    ]


def _entries(log: Path) -> Iterator[dict[str, Any]]:
    with log.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _decision(entry: dict[str, Any]) -> str:
    decision: str = entry.get("annotations", {}).get("authorization.k8s.io/decision", "")
    return decision


def _request(entry: dict[str, Any]) -> Request:
    target = entry["objectRef"]
    own = target.get("namespace") == SYSTEM_NAMESPACE
    parts = (target["resource"], target.get("subresource", ""))
    named = own and entry["verb"] != "create"
    return Request(
        target.get("apiGroup", ""),
        "/".join(filter(None, parts)),
        entry["verb"],
        own,
        target.get("name", "") if named else "",
        _decision(entry) == "allow",
    )
