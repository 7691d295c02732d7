"""The cache of downloads that runs share: requests, damage, limits, and folders that can't be written."""

import os
from collections import Counter
from pathlib import Path

import pytest

from finscribe_core.errors import FailureReason, RetryableError, UserError
from finscribe_trainer.storage import Storage
from finscribe_trainer.storage import file_cache as file_cache_module
from finscribe_trainer.storage.file_cache import FileCache, entry_key
from tests.support.counted_requests import count_requests
from tests.support.s3 import S3Server
from tests.support.storage import connection_without_delays

NAMES = [f"model/{name}" for name in ("config.json", "deep/weights", "tokenizer.json", "vocabulary")]


@pytest.fixture
def stored(s3_env: S3Server, bucket: str) -> str:
    """A prefix with four objects."""
    for name in NAMES:
        s3_env.client().put_object(Bucket=bucket, Key=name, Body=name.encode() * 100)
    return f"s3://{bucket}/model"


class Machine:
    """Runs that share a cache, each with a folder of its own."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        self.cache, self.endpoint, self._folder, self._number = folder / "cache", endpoint, folder, 0

    def storage(self, max_bytes: int = 10**9) -> tuple[Storage, Counter[str]]:
        connection = connection_without_delays(self.endpoint)
        counts = count_requests(connection)
        return Storage(connection, FileCache(self.cache, max_bytes)), counts

    def fetch(self, uri: str) -> tuple[Path, Counter[str]]:
        """The folder of a new run that has downloaded a prefix, and its requests."""
        storage, counts = self.storage()
        self._number += 1
        return storage.fetch_prefix(uri, self._folder / str(self._number)), counts

    @property
    def entries(self) -> list[Path]:
        return sorted(path for path in self.cache.glob("v1/??/*") if not path.name.startswith("."))


@pytest.fixture
def machine(s3_env: S3Server, tmp_path) -> Machine:
    return Machine(s3_env.endpoint, tmp_path)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


EXPECTED = {name.removeprefix("model/"): name.encode() * 100 for name in NAMES}


def test_a_second_run_downloads_nothing(machine, stored):
    first, counts = machine.fetch(stored)
    assert counts["GetObject"] == len(NAMES)

    second, counts = machine.fetch(stored)

    assert contents(first) == contents(second) == EXPECTED
    assert set(counts) == {"ListObjectsV2", "HeadObject"}
    assert counts["HeadObject"] == 1  # deep/weights; the other three are listed


def test_the_versions_of_objects_are_told_wherever_they_come_from(machine, stored, tmp_path):
    machine.fetch(stored)
    names = [name.removeprefix("model/") for name in NAMES]
    pairs = [(f"{stored}/{name}", tmp_path / "run" / name) for name in [*names, "missing"]]
    machine.entries[0].unlink()  # one is downloaded

    cached = machine.storage()[0].fetch_objects(pairs, skip_missing=True)
    plain = Storage(connection_without_delays(machine.endpoint)).fetch_objects(pairs, skip_missing=True)

    assert cached == plain
    assert [version.name for version in cached] == [uri for uri, _ in pairs[:-1]]


def test_only_an_object_that_has_changed_is_downloaded_again(machine, stored, s3_env, bucket):
    machine.fetch(stored)
    s3_env.client().put_object(Bucket=bucket, Key="model/config.json", Body=b"new")

    folder, counts = machine.fetch(stored)

    assert contents(folder) == EXPECTED | {"config.json": b"new"}
    assert counts["GetObject"] == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-40]),
        lambda path: path.write_bytes(b"x" + path.read_bytes()[1:]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes() + b"more"),
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["cut off", "a changed byte", "empty", "longer", "a folder in its place"],
)
def test_a_damaged_entry_is_downloaded_again(damage, machine, stored, caplog):
    machine.fetch(stored)
    damage(machine.entries[0])

    folder, counts = machine.fetch(stored)

    assert contents(folder) == EXPECTED
    assert counts["GetObject"] == 1
    assert "downloaded again" in caplog.text


def test_a_damaged_entry_is_replaced(machine, stored):
    machine.fetch(stored)
    machine.entries[0].write_bytes(b"damaged")
    machine.fetch(stored)

    _, counts = machine.fetch(stored)

    assert counts["GetObject"] == 0


def test_files_that_an_earlier_attempt_has_left_are_neither_copied_nor_downloaded(machine, stored, tmp_path):
    storage, counts = machine.storage()
    storage.fetch_prefix(stored, tmp_path / "run")
    for entry in machine.entries:
        entry.unlink()

    storage.fetch_prefix(stored, tmp_path / "run")

    assert counts["GetObject"] == len(NAMES)
    assert counts["HeadObject"] == 2  # deep/weights, for each of the two


def test_an_object_that_may_not_be_read_is_not_taken_from_the_cache(machine, stored, s3_env, bucket):
    machine.fetch(stored)
    s3_env.client().delete_object(Bucket=bucket, Key="model/config.json")
    storage, _ = machine.storage()
    with pytest.raises(UserError, match="does not exist"):
        storage.fetch_file(f"{stored}/config.json", machine.cache.parent / "file")


def test_the_least_recently_used_entries_make_room_but_none_of_this_run(tmp_path):
    files = {}
    for name in "abcd":
        files[name] = tmp_path / name
        files[name].write_bytes(name.encode() * 1000)
    earlier = FileCache(tmp_path / "cache", 10**9)
    for age, name in enumerate("bac", start=1):  # the oldest last
        earlier.add(entry_key(name), files[name])
        path = tmp_path / "cache/v1" / entry_key(name)[:2] / entry_key(name)
        os.utime(path, (path.stat().st_mtime - 100 * age,) * 2)
    cache = FileCache(tmp_path / "cache", 3200)
    assert cache.copy(entry_key("c"), tmp_path / "copied")  # the oldest, and in use now

    cache.add(entry_key("d"), files["d"])

    kept = {name for name in "abcd" if cache.copy(entry_key(name), tmp_path / "copied")}
    assert kept == {"b", "c", "d"}


def test_what_does_not_fit_is_downloaded_without_being_added(machine, stored, tmp_path, caplog):
    storage, _ = machine.storage(max_bytes=3000)

    folder = storage.fetch_prefix(stored, tmp_path / "run")

    assert contents(folder) == EXPECTED
    assert sum(path.stat().st_size for path in machine.entries) <= 3000
    assert caplog.text.count("cache of downloads: full") == 1


def test_an_entry_of_a_run_that_was_killed_is_removed_and_never_read(machine, stored):
    machine.fetch(stored)
    entry = machine.entries[0]
    part = entry.with_name(f".{entry.name}.{'0' * 32}.part")
    entry.rename(part)
    os.utime(part, (0, 0))

    folder, _ = machine.fetch(stored)

    assert contents(folder) == EXPECTED
    assert not part.exists()
    assert len(machine.entries) == len(NAMES)


def test_waiting_ends_when_the_run_is_stopped(tmp_path):
    def stopped(_: float) -> None:
        raise RetryableError(FailureReason.Interrupted, "stopped")

    with (
        FileCache(tmp_path, 1).turn("files", stopped),
        pytest.raises(RetryableError, match="stopped"),
        FileCache(tmp_path, 1).turn("files", stopped),
    ):
        pass


def test_waiting_ends_after_a_time_and_the_lock_disappears_with_its_holder(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(file_cache_module, "LONGEST_WAIT", 0.0)
    with FileCache(tmp_path, 1).turn("files", lambda _: None):
        with FileCache(tmp_path, 1).turn("files", lambda _: None):
            assert "not waiting any longer" in caplog.text
        assert FileCache(tmp_path, 1).root == tmp_path
    assert not list((tmp_path / "v1/locks").iterdir())


def test_a_cache_that_can_not_be_a_folder_is_a_user_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="can't be used"):
        FileCache(tmp_path / "file" / "cache", 1)
