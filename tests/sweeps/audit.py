"""Reads from the API server's audit log which Jobs were ever created, and when statuses were written."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finscribe_core.constants import GROUP, KIND, PLURAL
from tests.sweeps.counts import CreatedJob

POLICY: dict[str, Any] = {
    "omitStages": ["RequestReceived"],
    "rules": [
        {
            "level": "RequestResponse",
            "verbs": ["create"],
            "resources": [{"group": "batch", "resources": ["jobs"]}],
        },
        {
            "level": "Metadata",
            "verbs": ["patch"],
            "resources": [{"group": GROUP, "resources": [f"{PLURAL}/status"]}],
        },
        {"level": "None"},
    ],
}
"""What the API server has to log for this."""


def read_created_jobs(log: Path, namespace: str, user: str) -> set[CreatedJob]:
    """The Jobs that this service account has created for the FineTuneJobs of the namespace, whether or not
    they still exist.

    One whose creator was killed before it got the response is not among them.
    """
    found = set()
    for entry in _read(log, namespace):
        if entry["verb"] != "create" or not entry["user"]["username"].startswith(user):
            continue
        meta = entry["responseObject"]["metadata"]
        owners = [o["name"] for o in meta.get("ownerReferences", []) if o["kind"] == KIND]
        if owners:
            found.add(CreatedJob(owners[0], meta["name"], meta["uid"]))
    return found


def count_status_writes(log: Path, namespace: str, user: str) -> int:
    """Statuses of FineTuneJobs of the namespace that this service account has written."""
    entries = (entry for entry in _read(log, namespace) if entry["verb"] == "patch")
    return sum(entry["user"]["username"].startswith(user) for entry in entries)


def _read(log: Path, namespace: str) -> Iterator[dict[str, Any]]:
    """The successful requests of the namespace. The last line may be incomplete: the server may be killed."""
    needle = f'"namespace":"{namespace}"'
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if needle not in line:
                continue
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue
            if 200 <= entry.get("responseStatus", {}).get("code", 0) < 300:
                yield entry
