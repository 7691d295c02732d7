"""Reads from the API server's audit log who has written a run's Job, and its `suspend`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POLICY: dict[str, Any] = {
    "omitStages": ["RequestReceived"],
    "rules": [
        {
            "level": "RequestResponse",
            "verbs": ["create", "update", "patch"],
            "resources": [{"group": "batch", "resources": ["jobs"]}],
        },
        {"level": "None"},
    ],
}
"""What the API server has to log for this."""


@dataclass(frozen=True)
class JobWrite:
    """A write of a Job that was accepted."""

    job: str
    """Name of its FineTuneJob."""
    user: str
    suspend: bool | None
    """What the request sets; None if it does not change it."""


def read_job_writes(log: Path, namespace: str) -> list[JobWrite]:
    """The writes of the namespace, in their order."""
    found, suspended = [], dict[str, bool]()
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        if entry["objectRef"]["namespace"] != namespace or entry["responseStatus"]["code"] >= 300:
            continue
        live = entry["responseObject"]
        uid, suspend = live["metadata"]["uid"], live["spec"]["suspend"]
        changed = suspend if suspended.get(uid) != suspend else None
        suspended[uid] = suspend
        owner = live["metadata"]["ownerReferences"][0]["name"]
        found.append(JobWrite(owner, entry["user"]["username"], changed))
    return found
