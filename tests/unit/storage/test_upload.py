"""Uploads of folders with their manifest, of latest.json, and the check for write access."""

import hashlib
import json
import random

from finscribe_trainer.storage.upload import PART_SIZE


def test_a_folder_is_uploaded_with_a_manifest_of_every_file(s3_env, storage, bucket, tmp_path):
    contents = {
        "adapter/adapter_model.safetensors": random.Random(1).randbytes(2 * PART_SIZE + 7),
        "config.yaml": b"method: LoRA\n",
        "empty": b"",
    }
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)

    manifest_uri = storage.publish_run(tmp_path, f"s3://{bucket}/team/runs/r1")

    assert manifest_uri == f"s3://{bucket}/team/runs/r1/manifest.json"
    manifest = json.loads(s3_env.read(bucket, "team/runs/r1/manifest.json"))
    assert {f["path"]: (f["size"], f["sha256"]) for f in manifest["files"]} == {
        name: (len(content), hashlib.sha256(content).hexdigest()) for name, content in contents.items()
    }
    for name, content in contents.items():
        assert s3_env.read(bucket, f"team/runs/r1/{name}") == content


def test_a_second_upload_replaces_files_and_manifest(s3_env, storage, bucket, tmp_path):
    (tmp_path / "weights").write_bytes(b"first")
    storage.publish_run(tmp_path, f"s3://{bucket}/r1")
    (tmp_path / "weights").write_bytes(b"second")

    storage.publish_run(tmp_path, f"s3://{bucket}/r1")

    manifest = json.loads(s3_env.read(bucket, "r1/manifest.json"))
    assert manifest["files"][0]["sha256"] == hashlib.sha256(b"second").hexdigest()


def test_latest_json_is_written_and_read(storage, bucket):
    assert storage.read_json(f"s3://{bucket}/team/latest.json") is None

    storage.write_latest(f"s3://{bucket}/team", {"run": "r2"})

    assert storage.read_json(f"s3://{bucket}/team/latest.json") == {"run": "r2"}


def test_the_write_check_leaves_no_object(s3_env, storage, bucket):
    storage.check_writable(f"s3://{bucket}/team")

    assert s3_env.keys(bucket) == []
