"""Two pods with two processes each: a run that loses a pod ends with the bytes of an undisturbed one."""

import json

import pytest

from finscribe_core.api.v1alpha1 import FineTuneJobStatus
from finscribe_core.constants import LABEL_NODE_RANK
from tests.apiserver.eventually import eventually
from tests.e2e.team import RUN_SECONDS, Bucket, Team

GPU = "example.org/gpu"
"""A resource that each process requests one of, and does not use."""
RANKS = 4
TRAINING = {
    "numTrainEpochs": 4,
    "evalSteps": 4,
    "saveSteps": 4,
    "perDeviceTrainBatchSize": 2,
    "gradientAccumulationSteps": 1,
}
RESOURCES = {"nodes": 2, "gpus": RANKS // 2, "gpuResourceName": GPU, "cpu": "250m", "memory": "4Gi"}


STAGES = {
    "start": "",
    "model": "parameters are trainable",
    "first steps": "'loss'",
    "checkpoint": "checkpoint-4/manifest.json",
    "next checkpoint": "checkpoint-8/manifest.json",
}
"""What the first pod has logged, or put into the bucket, when a stage has begun, by stage."""


@pytest.fixture(scope="module")
def undisturbed(team: Team) -> FineTuneJobStatus:
    """Status of a run that lost nothing."""
    add_gpus(team)
    submit(team, "together")
    team.await_condition("together", "Complete")
    return team.status("together")


@pytest.mark.parametrize(
    ("stage", "rank"),
    [
        ("checkpoint", 1),
        *(pytest.param(stage, number % 2, marks=pytest.mark.stages) for number, stage in enumerate(STAGES)),
    ],
)
def test_a_run_with_four_ranks_that_loses_a_pod_ends_with_the_same_adapter(
    team: Team, bucket: Bucket, undisturbed: FineTuneJobStatus, stage: str, rank: int
):
    name = f"lost-at-{stage.replace(' ', '-')}-{rank}"
    submit(team, name)
    eventually(lambda: has_reached(team, bucket, name, stage), within=RUN_SECONDS)
    team.kubectl("delete", "pod", pod_of(team, name, rank), "--grace-period=1")
    team.await_condition(name, "Complete")

    together, disturbed = undisturbed.run, team.status(name).run
    assert (together.attempts, disturbed.attempts, disturbed.failed_attempts) == (1, 2, 1)
    assert disturbed.resumed_from or "checkpoint" not in stage
    assert adapter(bucket, disturbed.outputs.adapter) == adapter(bucket, together.outputs.adapter)


def add_gpus(team: Team) -> None:
    """Add the resource to the node's capacity, in which the kubelet keeps what it does not manage."""
    (node,) = json.loads(team.cluster.kubectl("get", "nodes", "--output=json"))["items"]
    patch = {"status": {part: {GPU: str(RANKS)} for part in ("capacity", "allocatable")}}
    name = node["metadata"]["name"]
    arguments = ("--subresource=status", "--type=merge", f"--patch={json.dumps(patch)}")
    team.cluster.kubectl("patch", "node", name, *arguments)


def submit(team: Team, name: str) -> None:
    team.submit(name, training=TRAINING, resources=RESOURCES, earlyStopping={"enabled": False})


def has_reached(team: Team, bucket: Bucket, name: str, stage: str) -> bool:
    """Whether the containers of both pods have started, and the stage has begun."""
    pods = team.pods(name)
    started = [state["started"] for pod in pods for state in pod["status"].get("containerStatuses", [])]
    if len(started) < RESOURCES["nodes"] or not all(started):
        return False
    seen = [team.kubectl("logs", pod_of(team, name, 0)), *bucket.keys(f"results/{name}/")]
    return any(STAGES[stage] in text for text in seen)


def pod_of(team: Team, name: str, rank: int) -> str:
    """Name of the pod of a node."""
    return next(
        pod["metadata"]["name"]
        for pod in team.pods(name)
        if pod["metadata"]["labels"][LABEL_NODE_RANK] == str(rank)
    )


def adapter(bucket: Bucket, uri: str) -> bytes:
    key = f"{uri}/adapter_model.safetensors".removeprefix(f"s3://{bucket.name}/")
    return bucket.client.get_object(Bucket=bucket.name, Key=key)["Body"].read()
