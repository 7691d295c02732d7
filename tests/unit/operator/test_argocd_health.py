"""What Argo CD's health check says of a job, whatever version of the operator wrote its status."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.argocd import health

CURRENT = {"metadata": {"name": "invoices", "generation": 2}}


def job(*conditions: tuple[str, str, str], **status: Any) -> dict[str, Any]:
    """A job with these conditions (type, status, reason) of its current generation."""
    listed = [{"type": t, "status": s, "reason": r, "message": f"about {r}"} for t, s, r in conditions]
    return {**CURRENT, "status": {"observedGeneration": 2, "conditions": listed, **status}}


@dataclass(frozen=True)
class Case:
    code: str
    message: str
    job: dict[str, Any] = field(default_factory=dict)


WAITING = "Waiting for the operator to read the job"
ENDED = (("Reconciling", "False", "Finished"), ("Stalled", "False", "NotFailed"))
COMPLETE = ("Complete", "True", "Succeeded")
CASES = {
    "it has no status": Case("Progressing", WAITING, CURRENT),
    "its status has no generation": Case("Progressing", WAITING, {**CURRENT, "status": {}}),
    "its status is about an older spec": Case("Progressing", WAITING, job(COMPLETE, observedGeneration=1)),
    "its status has no conditions": Case(
        "Progressing", "Waiting for the operator to set conditions", {**CURRENT, "status": job()["status"]}
    ),
    "its conditions were written as null": Case(
        "Progressing", "Waiting for the operator to set conditions", job(conditions=None)
    ),
    "it runs": Case(
        "Progressing",
        "Training: about Training",
        job(("Running", "True", "Training"), ("Reconciling", "True", "Training")),
    ),
    "its node is silent": Case(
        "Progressing",
        "NodeUnreachable: about NodeUnreachable",
        job(("Running", "Unknown", "NodeUnreachable"), ("Reconciling", "True", "NodeUnreachable")),
    ),
    "it is retried": Case(
        "Progressing", "Retrying: about Retrying", job(("Reconciling", "True", "Retrying"))
    ),
    "its pod ends before it is suspended": Case(
        "Progressing",
        "Stopping: about Stopping",
        job(("Suspended", "True", "SuspendedBySpec"), ("Reconciling", "True", "Stopping")),
    ),
    "it is suspended": Case(
        "Suspended",
        "SuspendedBySpec: about SuspendedBySpec",
        job(*ENDED, ("Suspended", "True", "SuspendedBySpec")),
    ),
    "it is complete": Case(
        "Healthy", "Succeeded: about Succeeded", job(*ENDED, COMPLETE, ("Promoted", "True", "NoGate"))
    ),
    "it failed its gate": Case(
        "Healthy",
        "Succeeded: about Succeeded GateFailed: about GateFailed",
        job(*ENDED, COMPLETE, ("Promoted", "False", "GateFailed")),
    ),
    "it failed": Case(
        "Degraded",
        "OOMKilled: about OOMKilled",
        job(("Failed", "True", "OOMKilled"), ("Stalled", "True", "OOMKilled")),
    ),
    "its spec is invalid, though an earlier run is complete": Case(
        "Degraded",
        "InvalidSpec: about InvalidSpec",
        job(COMPLETE, ("Stalled", "True", "InvalidSpec"), ("Reconciling", "False", "InvalidSpec")),
    ),
    "a newer operator wrote types and reasons that the check does not know": Case(
        "Healthy",
        "Better: about Better",
        job(*ENDED, ("Deployed", "Unknown", "Later"), ("Complete", "True", "Better")),
    ),
    "a condition has no message": Case(
        "Degraded",
        "Failed: ",
        {
            **CURRENT,
            "status": job()["status"]
            | {"conditions": [{"type": "Stalled", "status": "True", "reason": "Failed"}]},
        },
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_argo_cd_shows_a_jobs_health_when(case: Case):
    assert health(case.job) == (case.code, case.message)
