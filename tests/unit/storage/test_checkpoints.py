"""Checkpoints: complete ones are found, damaged ones passed over, old ones removed."""

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


def test_the_newest_checkpoint_comes_back_whole(storage, run_uri, tmp_path):
    for step in (9, 10, 100):
        storage.save_checkpoint(write_checkpoint(tmp_path / "there", step), run_uri)

    found = storage.fetch_last_checkpoint(run_uri, tmp_path / "here")

    assert found == tmp_path / "here" / "checkpoint-100"
    assert (found / "adapter" / "weights").read_bytes() == bytes([100]) * 1000
    assert (found / "trainer_state.json").read_text() == '{"global_step": 100}'


def test_a_run_without_checkpoints_has_none(storage, run_uri, tmp_path):
    assert storage.fetch_last_checkpoint(run_uri, tmp_path) is None


@pytest.mark.parametrize("damage", ["other bytes", "gone", "no manifest", "broken manifest", "evil manifest"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(
    damage, s3_env, storage, bucket, run_uri, tmp_path
):
    for step in (1, 2):
        storage.save_checkpoint(write_checkpoint(tmp_path / "there", step), run_uri)
    weights = f"{RUN}/checkpoints/checkpoint-2/adapter/weights"
    manifest = f"{RUN}/checkpoints/checkpoint-2/manifest.json"
    evil = b'{"files": [{"path": "../../evil", "size": 1, "sha256": "00"}]}'
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
        case "evil manifest":
            client.put_object(Bucket=bucket, Key=manifest, Body=evil)

    found = storage.fetch_last_checkpoint(run_uri, tmp_path / "here")

    assert found == tmp_path / "here" / "checkpoint-1"
    assert not (tmp_path / "here" / "checkpoint-2").exists()


def test_checkpoints_gone_from_the_disk_go_from_the_bucket(s3_env, storage, bucket, run_uri, tmp_path):
    first = write_checkpoint(tmp_path, 1)
    storage.save_checkpoint(first, run_uri)
    first.rename(tmp_path / "rotated-away")
    storage.save_checkpoint(write_checkpoint(tmp_path, 2), run_uri)

    names = {key.split("/")[4] for key in s3_env.keys(bucket, f"{RUN}/checkpoints/")}
    assert names == {"checkpoint-2"}


def test_a_keep_list_protects_what_the_disk_does_not_hold(s3_env, storage, bucket, run_uri, tmp_path):
    for step in (1, 2, 3):
        storage.save_checkpoint(write_checkpoint(tmp_path / str(step), step), run_uri, keep=["checkpoint-1"])

    names = {key.split("/")[4] for key in s3_env.keys(bucket, f"{RUN}/checkpoints/")}
    assert names == {"checkpoint-1", "checkpoint-3"}


def test_a_checkpoint_still_on_the_disk_is_not_fetched_again(storage, run_uri, tmp_path):
    checkpoint = write_checkpoint(tmp_path, 5)
    storage.save_checkpoint(checkpoint, run_uri)
    before = (checkpoint / "trainer_state.json").stat().st_ino

    assert storage.fetch_last_checkpoint(run_uri, tmp_path) == checkpoint
    assert (checkpoint / "trainer_state.json").stat().st_ino == before
