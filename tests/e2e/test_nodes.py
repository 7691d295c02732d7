"""Two pods with two processes each: a run that loses a pod ends with the bytes of an undisturbed one."""

import json
from pathlib import Path

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


def test_a_run_with_four_ranks_that_loses_a_pod_ends_with_the_same_adapter(team: Team, bucket: Bucket):
    add_gpus(team)

    submit(team, "together")
    team.await_condition("together", "Complete")
    submit(team, "disturbed")
    eventually(lambda: has_checkpoint(bucket, "disturbed"), within=RUN_SECONDS)
    second = next(pod for pod in team.pods("disturbed") if pod["metadata"]["labels"][LABEL_NODE_RANK] == "1")
    team.kubectl("delete", "pod", second["metadata"]["name"], "--grace-period=1")
    team.await_condition("disturbed", "Complete")

    together, disturbed = (team.status(name).run for name in ("together", "disturbed"))
    assert (together.attempts, disturbed.attempts, disturbed.failed_attempts) == (1, 2, 1)
    assert disturbed.resumed_from is not None
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


def has_checkpoint(bucket: Bucket, name: str) -> bool:
    return any(
        "/checkpoints/" in key and Path(key).name == "manifest.json"
        for key in bucket.keys(f"results/{name}/")
    )


def adapter(bucket: Bucket, uri: str) -> bytes:
    key = f"{uri}/adapter_model.safetensors".removeprefix(f"s3://{bucket.name}/")
    return bucket.client.get_object(Bucket=bucket.name, Key=key)["Body"].read()
