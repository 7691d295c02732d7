"""One job through every interruption on a real node: no image, no data, suspended, evicted."""

import json

from finscribe_core.api.conditions import Condition, ConditionType, Reason
from finscribe_core.api.v1alpha1 import State
from finscribe_core.constants import ANNOTATION_RETRY
from finscribe_core.errors import FailureReason
from finscribe_core.report import Phase
from tests.apiserver.eventually import eventually
from tests.e2e.team import RUN_SECONDS, Bucket, Team

NAME = "eventful"
ROWS = f"datasets/{NAME}"


def test_a_job_is_corrected_retried_suspended_and_evicted_and_completes(team: Team, bucket: Bucket):
    team.submit(
        NAME,
        image="finscribe/trainer:missing",
        dataset={"train": f"s3://finscribe-demo/{ROWS}/train.jsonl"},
        training={"numTrainEpochs": 6, "evalSteps": 8, "saveSteps": 8},
        earlyStopping={"enabled": False},
        backoffLimit=0,
    )
    message = await_running(team, Reason.ContainerCannotStart)
    assert "finscribe/trainer:missing" in message and "correct spec.image" in message

    patch(team, {"image": None})
    team.await_condition(NAME, "Failed", FailureReason.DatasetNotFound)
    bucket.upload(bucket.sample / "train.jsonl", f"{ROWS}/train.jsonl")
    bucket.upload(bucket.sample / "images", f"{ROWS}/images")
    team.kubectl("annotate", "ftj", NAME, f"{ANNOTATION_RETRY}=1")
    step = await_step(team, 2)

    patch(team, {"suspend": True})
    eventually(lambda: team.status(NAME).summary.state == State.Suspended, within=180)
    assert {pod["status"]["phase"] for pod in team.pods(NAME)} <= {"Succeeded", "Failed"}
    patch(team, {"suspend": False})
    step = await_step(team, step + 1)
    evict(team, next(p["metadata"]["name"] for p in team.pods(NAME) if p["status"]["phase"] == "Running"))
    message = await_running(team, Reason.Stopping)
    assert FailureReason.Evicted in message

    team.await_condition(NAME, "Complete")
    run = team.status(NAME).run
    assert run.failed_attempts == 0
    assert int(run.resumed_from.rpartition("/checkpoints/checkpoint-")[2]) >= step
    metrics = bucket.read_json(f"{run.outputs.uri}/metrics.json")
    assert metrics["steps"] == metrics["total_steps"]


def await_running(team: Team, reason: str) -> str:
    """Wait until the condition Running has this reason; returns its message."""

    def message() -> str:
        found = running(team)
        assert found is not None and found.reason == reason, found
        return found.message

    return eventually(message, within=RUN_SECONDS)


def await_step(team: Team, step: int) -> int:
    """Wait until a pod trains and has taken this step; returns the last step."""

    def reached() -> int:
        found, last = running(team), team.status(NAME).progress.step
        return last if found is not None and found.reason == Phase.Training and last >= step else 0

    return eventually(reached, within=RUN_SECONDS)


def running(team: Team) -> Condition | None:
    """The condition Running."""
    return next((c for c in team.status(NAME).conditions if c.type == ConditionType.Running), None)


def patch(team: Team, spec: dict) -> None:
    team.kubectl("patch", "ftj", NAME, "--type=merge", f"--patch={json.dumps({'spec': spec})}")


def evict(team: Team, pod: str) -> None:
    """Evict a pod as `kubectl drain` does."""
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    url = f"/api/v1/namespaces/{team.namespace}/pods/{pod}/eviction"
    team.kubectl("create", f"--raw={url}", "--filename=-", stdin=json.dumps(eviction))
