"""New rows in the bucket start a run by themselves, which goes on from the promoted adapter."""

from tests.apiserver.eventually import eventually
from tests.e2e.team import Bucket, Team

ROWS = "datasets/growing"


def test_new_rows_in_the_bucket_are_trained_on_from_the_promoted_adapter(team: Team, bucket: Bucket):
    rows = (bucket.sample / "train.jsonl").read_text().splitlines(keepends=True)
    half = len(rows) // 2
    put_rows(bucket, "first.jsonl", rows[:half])
    results = "s3://finscribe-demo/results/growing"
    team.submit(
        "growing",
        dataset={
            "train": f"s3://finscribe-demo/{ROWS}/",
            "imageRoot": "s3://finscribe-demo/datasets/invoices/",
        },
        model={"adapter": f"{results}/latest.json", "adapterPolicy": "Optional"},
        training={"maxSteps": 4, "evalSteps": 4},
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
    assert bucket.read_json(f"{results}/latest.json")["uri"] == second.outputs.uri
    record = team.status("growing").runs[0]
    assert (record.name, record.cause, record.outcome) == (first.name, "Created", "Succeeded")
    checks = team.status("growing").retrain.data_check.checks
    assert checks >= 1 and len(team.jobs("growing")) <= 3  # at most one Job of a check


def put_rows(bucket: Bucket, name: str, rows: list[str]) -> None:
    bucket.client.put_object(Bucket=bucket.name, Key=f"{ROWS}/{name}", Body="".join(rows).encode())
