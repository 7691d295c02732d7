"""Output folders and files: refused when taken or in use, replaced together or not at all."""

import fcntl
import os
from pathlib import Path

import pytest

from finscribe_core.errors import RetryableError, UserError
from finscribe_core.file_lock import lock_file
from finscribe_trainer.runtime.outputs import claim_files, claim_folder, replace_together

REFUSED = {
    "any other file": ({}, ["notes.txt"]),
    "a name that will be written": ({"writes": ("a", "b")}, ["b"]),
    "a name that will be written, without the mark": ({"writes": ("a",), "own": "mark"}, ["a"]),
}
ACCEPTED = {
    "nothing": ({}, []),
    "other names than those that will be written": ({"writes": ("a",)}, ["b"]),
    "a folder of the command's own": ({"own": "mark"}, ["mark", "a"]),
    "anything, to overwrite": ({"overwrite": True}, ["a"]),
    "what a killed process left": ({}, [".unfinished-abc/a", ".lock"]),
}


def write(folder: Path, names: list[str]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


@pytest.mark.parametrize(("options", "names"), REFUSED.values(), ids=REFUSED)
def test_a_folder_that_holds_something_else_is_refused_and_named(options, names, tmp_path):
    write(tmp_path, names)
    with (
        pytest.raises(UserError, match=f"it holds {names[0]}") as caught,
        claim_folder(tmp_path, **options),
    ):
        pass
    assert "--overwrite" in caught.value.remedy
    assert [path.name for path in tmp_path.iterdir()] == names


@pytest.mark.parametrize(("options", "names"), ACCEPTED.values(), ids=ACCEPTED)
def test_a_folder_may_hold(options, names, tmp_path):
    write(tmp_path, names)
    with claim_folder(tmp_path, **options):
        kept = {path.name for path in tmp_path.iterdir()}
    assert kept - {".lock"} == {name for name in names if not name.startswith(".")}
    assert not (tmp_path / ".lock").exists()


def test_a_folder_and_a_file_that_another_process_writes_are_refused(tmp_path):
    with claim_folder(tmp_path), claim_files(tmp_path / "a.json"):
        for claim in (
            claim_folder(tmp_path, overwrite=True),
            claim_files(tmp_path / "a.json", overwrite=True),
        ):
            with pytest.raises(RetryableError, match=rf"Another process \({os.getpid()}\)"), claim:
                pass
    with claim_folder(tmp_path), claim_files(tmp_path / "a.json"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_file_that_its_holder_removes_is_not_locked_by_the_next_process(tmp_path, monkeypatch):
    path, locked = tmp_path / "lock", []

    flock = fcntl.flock

    def remove_before(file, operation):
        if not locked:  # the holder ends between the opening and the locking of the file
            locked.append(path.unlink())
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", remove_before)
    with lock_file(path) as file:
        assert os.path.samestat(os.fstat(file.fileno()), path.stat())


@pytest.mark.parametrize("taken", ["a.png", "a.json"])
def test_a_file_that_exists_is_refused_unless_it_is_to_be_overwritten(taken, tmp_path):
    (tmp_path / taken).write_text("mine")
    files = tmp_path / "a.png", tmp_path / "a.json"
    with pytest.raises(UserError, match=f"{taken} exists already"), claim_files(*files):
        pass
    with claim_files(*files, overwrite=True):
        pass
    assert (tmp_path / taken).read_text() == "mine"


def test_entries_are_replaced_together(tmp_path):
    write(tmp_path, ["a/old", "outdated/old", "metrics.json", "other"])
    with replace_together(tmp_path, last="metrics.json", outdated=("outdated", "a")) as folder:
        write(folder, ["a/new", "b", "metrics.json"])
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        *("a", "a/new", "b", "metrics.json", "other")
    ]


def test_after_an_error_no_entry_is_replaced(tmp_path):
    write(tmp_path, ["a/old", "metrics.json"])
    with (
        pytest.raises(RuntimeError),
        replace_together(tmp_path, last="metrics.json", outdated=("a",)) as folder,
    ):
        write(folder, ["a/new"])
        raise RuntimeError
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "metrics.json", "old"]
