"""`make bench-storage`: the clients compared transfer the same files."""

import json
import threading

import pytest

from benchmarks.storage.clients import Settings, make_client


@pytest.mark.parametrize("name", ["finscribe", "boto3"])
def test_a_client_uploads_with_a_manifest_and_downloads_the_same_bytes(name, s3_env, tmp_path):
    contents = {"large": b"x" * (9 * 1024 * 1024), "small": b"y" * 1000}
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    for file, content in contents.items():
        (source / file).write_bytes(content)
    settings = Settings(s3_env.endpoint, s3_env.create_bucket(), read_timeout=30.0)

    make_client(name, settings, threading.Event()).upload(source, "run")
    make_client(name, settings, threading.Event()).download(["run/large", "run/small"], target)

    assert {path.name: path.read_bytes() for path in target.iterdir()} == contents
    manifest = json.loads(s3_env.read(settings.bucket, "run/manifest.json"))
    assert [entry["path"] for entry in manifest["files"]] == ["large", "small"]
