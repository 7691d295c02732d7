"""New rows in the bucket start a run by themselves, from the promoted adapter and a cache of downloads."""

from pathlib import Path

from tests.apiserver.eventually import eventually
from tests.e2e.team import FEW_ROWS, Bucket, Team

ROWS = "datasets/growing"


def test_new_rows_in_the_bucket_are_trained_on_from_the_promoted_adapter(
    team: Team, bucket: Bucket, tmp_path: Path
):
    make_claim(team, "downloads", tmp_path / "downloads")
    rows = (bucket.sample / "train.jsonl").read_text().splitlines(keepends=True)
    half = len(rows) // 2
    put_rows(bucket, "first.jsonl", rows[:half])
    results = "s3://finscribe-demo/results/growing"
    team.submit(
        "growing",
        dataset={
            "train": f"s3://finscribe-demo/{ROWS}/",
            "imageRoot": f"s3://finscribe-demo/{FEW_ROWS}/",
        },
        model={"adapter": f"{results}/latest.json", "adapterPolicy": "Optional"},
        training={"maxSteps": 4, "evalSteps": 4},
        cache={"persistentVolumeClaim": {"name": "downloads"}},
        retrain={"onDataChange": {"checkEvery": "1m", "minimumNewSamples": 1}},
    )
    team.await_condition("growing", "Complete")
    first = team.status("growing").run
    assert first.initial_adapter is None and first.dataset.samples == half

    put_rows(bucket, "second.jsonl", rows[half:])

    eventually(lambda: team.status("growing").run.cause == "DataChanged", within=300)
    team.await_condition("growing", "Complete")
    second = team.status("growing").run
    assert second.dataset.samples == len(rows) and second.initial_adapter == first.outputs.adapter
    log = team.kubectl("logs", f"job/{second.name}")
    assert "files are in the cache" in log, log[-2000:]
    assert bucket.read_json(f"{results}/latest.json")["uri"] == second.outputs.uri
    record = team.status("growing").runs[0]
    assert (record.name, record.cause, record.outcome) == (first.name, "Created", "Succeeded")
    checks = team.status("growing").retrain.data_check.checks
    assert checks >= 1 and len(team.jobs("growing")) <= 3  # at most one Job of a check


def put_rows(bucket: Bucket, name: str, rows: list[str]) -> None:
    bucket.client.put_object(Bucket=bucket.name, Key=f"{ROWS}/{name}", Body="".join(rows).encode())


def make_claim(team: Team, name: str, folder: Path) -> None:
    """A volume in a folder of the node, and a claim that is bound to it."""
    folder.mkdir()
    folder.chmod(0o777)
    size = {"storage": "1Gi"}
    common = {"storageClassName": "", "accessModes": ["ReadWriteMany"]}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": common | {"capacity": size, "hostPath": {"path": str(folder)}},
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": team.namespace},
        "spec": common | {"volumeName": name, "resources": {"requests": size}},
    }
    team.apply(volume)
    team.apply(claim)
