"""Downloads of objects and prefixes: content, paths, files that are skipped, rejected keys."""

import random
from pathlib import Path

import pytest

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.storage import Storage
from finscribe_trainer.storage.download import PIECE_SIZE
from finscribe_trainer.storage.uri import ObjectUri, local_path
from tests.support.s3 import S3Server
from tests.support.storage import CountingObserver, storage_without_delays


@pytest.mark.parametrize(
    "size", [0, 1, PIECE_SIZE - 1, PIECE_SIZE, PIECE_SIZE + 1, 2 * PIECE_SIZE + 5], ids=lambda n: f"{n} bytes"
)
def test_an_object_of_any_size_is_downloaded_byte_for_byte(size, s3_env: S3Server, storage, bucket, tmp_path):
    content = random.Random(size).randbytes(size)
    s3_env.client().put_object(Bucket=bucket, Key="data/rows.jsonl", Body=content)

    path = storage.fetch_file(f"s3://{bucket}/data/rows.jsonl", tmp_path / "deep" / "rows.jsonl")

    assert path.read_bytes() == content
    assert [p.name for p in path.parent.iterdir()] == ["rows.jsonl"]


def test_a_prefix_is_downloaded_with_subfolders_but_not_keys_with_a_similar_name(
    s3_env, storage, bucket, tmp_path
):
    for key in ("model/config.json", "model/deep/er/weights", "model/", "model-2/config.json"):
        s3_env.client().put_object(Bucket=bucket, Key=key, Body=b"" if key.endswith("/") else key.encode())

    storage.fetch_prefix(f"s3://{bucket}/model", tmp_path / "model")

    files = {str(p.relative_to(tmp_path)): p.read_text() for p in tmp_path.rglob("*") if p.is_file()}
    assert files == {name: name for name in ("model/config.json", "model/deep/er/weights")}


def test_unchanged_files_are_not_downloaded_again(s3_env, bucket, tmp_path):
    observer = CountingObserver()
    storage = storage_without_delays(s3_env.endpoint, observer=observer)
    for key in ("m/same", "m/changed"):
        s3_env.client().put_object(Bucket=bucket, Key=key, Body=b"12345")
    storage.fetch_prefix(f"s3://{bucket}/m", tmp_path)
    s3_env.client().put_object(Bucket=bucket, Key="m/changed", Body=b"1234567")

    storage.fetch_prefix(f"s3://{bucket}/m", tmp_path)

    assert observer.num_bytes["download"] == 5 + 5 + 7
    assert (tmp_path / "changed").read_bytes() == b"1234567"


def test_many_objects_are_downloaded_each_to_its_own_file(s3_env, storage, bucket, tmp_path):
    names = [f"images/{n}.png" for n in range(40)]
    for name in names:
        s3_env.client().put_object(Bucket=bucket, Key=name, Body=name.encode())

    storage.fetch_objects([(f"s3://{bucket}/{name}", tmp_path / name) for name in names])

    assert [(tmp_path / name).read_text() for name in names] == names


def test_a_prefix_that_differs_from_its_manifest_is_rejected(s3_env, storage, bucket, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "weights").write_bytes(b"right")
    storage.publish_run(tmp_path / "out", f"s3://{bucket}/run")
    s3_env.client().put_object(Bucket=bucket, Key="run/weights", Body=b"wrong")

    with pytest.raises(UserError, match="weights") as caught:
        storage.fetch_prefix(f"s3://{bucket}/run", tmp_path / "in")
    assert caught.value.reason is FailureReason.ModelNotFound


@pytest.mark.parametrize("key", ["../evil", "a/../../evil", "/etc/passwd", "a\\..\\evil", "", "a\0b"])
def test_a_key_that_leads_outside_the_folder_is_rejected(key):
    with pytest.raises(UserError, match="key"):
        local_path(Path("/data"), key)


def test_a_prefix_with_a_key_that_leads_outside_writes_nothing(s3_env, storage, bucket, tmp_path):
    s3_env.client().put_object(Bucket=bucket, Key="m/good", Body=b"x")
    s3_env.client().put_object(Bucket=bucket, Key="m/a/../../evil", Body=b"x")

    with pytest.raises(UserError):
        storage.fetch_prefix(f"s3://{bucket}/m", tmp_path / "in")
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize(
    ("uri", "exists"),
    [("a", True), ("a/", True), ("a/b", True), ("a-", False), ("a/b/c", False), ("x", False)],
)
def test_a_uri_exists_if_there_is_an_object_with_this_key_or_below_it(
    uri, exists, s3_env, storage: Storage, bucket
):
    for key in ("a-b", "a/b"):
        s3_env.client().put_object(Bucket=bucket, Key=key, Body=b"x")

    assert storage.exists(f"s3://{bucket}/{uri}") is exists


@pytest.mark.parametrize("uri", ["/local/file", "http://host/x", "s3://", "s3:///key"])
def test_other_uris_than_s3_are_rejected(uri):
    with pytest.raises(UserError, match="not an s3:// URI"):
        ObjectUri.parse(uri)
