"""Downloads of objects and prefixes: content, paths, files that are skipped, rejected keys."""

import random
from pathlib import Path
from types import SimpleNamespace

import pytest

from finscribe_core.errors import FailureReason, RetryableError, UserError
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


NO_FILES = [
    "../evil",
    "a/../../evil",
    "/etc/passwd",
    "a\\..\\evil",
    "",
    "a\0b",
    "a//b",
    "a/./b",
    "./a",
    "a/",
    "\ud800",
]


@pytest.mark.parametrize("key", [*NO_FILES, "k" * 256, f"{'é' * 128}/a"])
def test_a_key_that_leads_outside_the_folder_or_to_another_keys_file_is_rejected(key):
    with pytest.raises(UserError, match="key"):
        local_path(Path("/data"), key)


def test_keys_that_differ_in_the_suffix_of_a_temporary_file_keep_their_bytes(
    s3_env, storage, bucket, tmp_path
):
    names = ["w", "w.part", "w.part.json", "w.part.json.part", ".w.part", "w" * 255]
    contents = {name: random.Random(name).randbytes(PIECE_SIZE + 5) for name in names}
    for name, content in contents.items():
        s3_env.client().put_object(Bucket=bucket, Key=f"m/{name}", Body=content)

    storage.fetch_prefix(f"s3://{bucket}/m", tmp_path)

    assert {p.name: p.read_bytes() == contents[p.name] for p in tmp_path.iterdir()} == dict.fromkeys(
        names, True
    )


def test_an_object_beside_one_below_it_is_rejected_with_both_names(s3_env, storage, bucket, tmp_path):
    for key in ("m/a", "m/a/b"):
        s3_env.client().put_object(Bucket=bucket, Key=key, Body=b"x")

    with pytest.raises(UserError, match=r"m/a and one for .*m/a/b") as caught:
        storage.fetch_prefix(f"s3://{bucket}/m", tmp_path / "m")
    assert caught.value.reason is FailureReason.DatasetInvalid


def test_an_object_larger_than_the_disk_is_reported_before_its_download(
    s3_env, storage, bucket, tmp_path, monkeypatch
):
    s3_env.client().put_object(Bucket=bucket, Key="big", Body=b"12345")
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=4))

    with pytest.raises(RetryableError, match="5 bytes, of which 4 are free") as caught:
        storage.fetch_file(f"s3://{bucket}/big", tmp_path / "big")
    assert caught.value.reason is FailureReason.DiskFull


PART = 5 * 1024 * 1024
"""The smallest part of an upload, except the last."""


@pytest.fixture(params=[[PART, PART, 7], [PART, PART + 1, 7], [PART + 1, PART, 7]], ids=str)
def parts(request) -> list[bytes]:
    """An object's parts, of equal and of different sizes."""
    return [random.Random(number).randbytes(size) for number, size in enumerate(request.param)]


@pytest.fixture
def in_parts(parts, s3_env, bucket) -> str:
    client, key = s3_env.client(), "in-parts"
    upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    target = {"Bucket": bucket, "Key": key, "UploadId": upload}
    done = [
        {"PartNumber": n, "ETag": client.upload_part(**target, PartNumber=n, Body=part)["ETag"]}
        for n, part in enumerate(parts, 1)
    ]
    client.complete_multipart_upload(**target, MultipartUpload={"Parts": done})
    return f"s3://{bucket}/{key}"


def test_an_object_uploaded_in_parts_is_downloaded_byte_for_byte(in_parts, parts, storage, tmp_path):
    assert storage.fetch_file(in_parts, tmp_path / "x").read_bytes() == b"".join(parts)


def test_damaged_bytes_of_an_object_uploaded_in_parts_are_detected(
    in_parts, parts, storage, tmp_path, caplog
):
    damage = Damage(tmp_path)

    path = storage.fetch_file(in_parts, tmp_path / "x", damage)

    assert damage.done
    assert "arrived with another MD5" in caplog.text
    assert path.read_bytes() == b"".join(parts)


class Damage:
    """Damages the first bytes of an unfinished download, once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._num_bytes = 0
        self.done = False

    def expect(self, num_bytes: int) -> None:
        """See TransferProgress."""

    def advance(self, num_bytes: int) -> None:
        self._num_bytes += num_bytes
        if self._num_bytes > PIECE_SIZE and not self.done:
            (file,) = (path for path in self._folder.iterdir() if path.name.endswith("part"))
            with file.open("r+b") as part:
                part.write(b"damaged")
            self.done = True


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
