"""Uploaded checkpoints: the newest complete one is found, damaged ones are skipped, old ones deleted."""

from pathlib import Path

import pytest

RUN = "team/runs/r1"


@pytest.fixture
def run_uri(bucket):
    return f"s3://{bucket}/{RUN}"


def write_checkpoint(folder: Path, step: int) -> Path:
    checkpoint = folder / f"checkpoint-{step}"
    (checkpoint / "adapter").mkdir(parents=True)
    (checkpoint / "trainer_state.json").write_text(f'{{"global_step": {step}}}')
    (checkpoint / "adapter" / "weights").write_bytes(bytes([step % 256]) * 1000)
    return checkpoint


def test_the_newest_checkpoint_is_downloaded_completely(storage, run_uri, tmp_path):
    for step in (9, 10, 100):
        storage.save_checkpoint(write_checkpoint(tmp_path / "trained", step), run_uri)

    found = storage.fetch_last_checkpoint(run_uri, tmp_path / "downloaded")

    assert found == tmp_path / "downloaded" / "checkpoint-100"
    assert (found / "adapter" / "weights").read_bytes() == bytes([100]) * 1000
    assert (found / "trainer_state.json").read_text() == '{"global_step": 100}'


def test_a_run_without_checkpoints_has_none(storage, run_uri, tmp_path):
    assert storage.fetch_last_checkpoint(run_uri, tmp_path) is None


@pytest.mark.parametrize(
    "damage", ["other bytes", "gone", "no manifest", "broken manifest", "path outside the folder"]
)
def test_a_damaged_checkpoint_is_skipped_for_the_one_before(
    damage, s3_env, storage, bucket, run_uri, tmp_path
):
    for step in (1, 2):
        storage.save_checkpoint(write_checkpoint(tmp_path / "trained", step), run_uri)
    weights = f"{RUN}/checkpoints/checkpoint-2/adapter/weights"
    manifest = f"{RUN}/checkpoints/checkpoint-2/manifest.json"
    outside = b'{"files": [{"path": "../../evil", "size": 1, "sha256": "00"}]}'
    client = s3_env.client()
    match damage:
        case "other bytes":
            client.put_object(Bucket=bucket, Key=weights, Body=b"?" * 1000)
        case "gone":
            client.delete_object(Bucket=bucket, Key=weights)
        case "no manifest":
            client.delete_object(Bucket=bucket, Key=manifest)
        case "broken manifest":
            client.put_object(Bucket=bucket, Key=manifest, Body=b"{")
        case "path outside the folder":
            client.put_object(Bucket=bucket, Key=manifest, Body=outside)

    found = storage.fetch_last_checkpoint(run_uri, tmp_path / "downloaded")

    assert found == tmp_path / "downloaded" / "checkpoint-1"
    assert not (tmp_path / "downloaded" / "checkpoint-2").exists()


def test_checkpoints_deleted_from_the_disk_are_deleted_from_the_bucket(
    s3_env, storage, bucket, run_uri, tmp_path
):
    first = write_checkpoint(tmp_path, 1)
    storage.save_checkpoint(first, run_uri)
    first.rename(tmp_path / "rotated-away")
    storage.save_checkpoint(write_checkpoint(tmp_path, 2), run_uri)

    names = {key.split("/")[4] for key in s3_env.keys(bucket, f"{RUN}/checkpoints/")}
    assert names == {"checkpoint-2"}


def test_checkpoints_on_the_keep_list_stay_in_the_bucket(s3_env, storage, bucket, run_uri, tmp_path):
    for step in (1, 2, 3):
        storage.save_checkpoint(write_checkpoint(tmp_path / str(step), step), run_uri, keep=["checkpoint-1"])

    names = {key.split("/")[4] for key in s3_env.keys(bucket, f"{RUN}/checkpoints/")}
    assert names == {"checkpoint-1", "checkpoint-3"}


def test_a_checkpoint_on_the_disk_is_not_downloaded_again(storage, run_uri, tmp_path):
    checkpoint = write_checkpoint(tmp_path, 5)
    storage.save_checkpoint(checkpoint, run_uri)
    before = (checkpoint / "trainer_state.json").stat().st_ino

    assert storage.fetch_last_checkpoint(run_uri, tmp_path) == checkpoint
    assert (checkpoint / "trainer_state.json").stat().st_ino == before
