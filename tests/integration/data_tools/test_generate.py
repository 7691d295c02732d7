"""`finscribe data generate` as a process: several workers, interruption, invalid options and folders."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from finscribe_trainer.cli.generate import generate as command

GENERATE = (sys.executable, "-m", "finscribe_core.cli", "data", "generate", "--seed", "3")


def generate(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    call = [*GENERATE, "--output-dir", str(folder), *options]
    return subprocess.run(call, capture_output=True, text=True, check=False)


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def wait_for_pages(run: subprocess.Popen[str], folder: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(list(folder.glob("images/*.jpg"))) < count:
        assert run.poll() is None
        assert time.monotonic() < deadline, f"not {count} pages within a minute"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def by_one_worker(tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("one") / "data"
    assert generate(folder, "--count", "30", "--workers", "1").returncode == 0
    return files(folder)


def test_three_workers_write_the_same_bytes_as_one(by_one_worker, tmp_path):
    done = generate(tmp_path / "data", "--count", "30", "--workers", "3")
    assert done.returncode == 0, done.stderr
    assert "27 train, 2 val, 1 test" in done.stdout
    assert files(tmp_path / "data") == by_one_worker


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_run_resumes_to_the_same_bytes(how, by_one_worker, tmp_path):
    folder = tmp_path / "data"
    call = [*GENERATE, "--output-dir", str(folder), "--count", "30", "--workers", "2"]
    run = subprocess.Popen(call, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for_pages(run, folder, 2)
    os.killpg(run.pid, how)
    _, message = run.communicate(timeout=60)
    if how is signal.SIGINT:
        assert run.returncode == 75
        assert "Run the same command again to resume" in message
        assert "Traceback" not in message
    assert not (folder / "train.jsonl").exists()
    assert generate(folder, "--count", "30", "--workers", "2").returncode == 0
    assert files(folder) == by_one_worker


def test_a_killed_worker_ends_the_run_with_a_message(tmp_path):
    folder = tmp_path / "data"
    call = [*GENERATE, "--output-dir", str(folder), "--count", "400", "--workers", "2"]
    run = subprocess.Popen(call, stderr=subprocess.PIPE, text=True)
    wait_for_pages(run, folder, 4)
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    workers = [c for c in children if "spawn_main" in Path(f"/proc/{c}/cmdline").read_text()]
    os.kill(int(workers[0]), signal.SIGKILL)
    _, message = run.communicate(timeout=60)
    assert run.returncode == 75
    assert "A worker was killed" in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--count", "0"), "0 is not in the range"),
        (("--template-set", "papyrus"), "'papyrus' is not one of"),
        (("--splits", "0.9,0.2,0.1"), "does not sum up to 1"),
        (("--splits", "most"), "not three numbers"),
        (("--splits", "nan,0,1"), "does not sum up to 1"),
        (("--format", "xml"), "'xml' is not"),
    ],
)
def test_invalid_options_are_rejected(options, message, tmp_path):
    rejected = CliRunner().invoke(command, ["--output-dir", str(tmp_path / "data"), *options])
    assert rejected.exit_code == 2
    assert message in rejected.stderr
    assert not (tmp_path / "data").exists()


def test_a_folder_with_other_files_is_rejected_and_unchanged(tmp_path):
    (tmp_path / "thesis.tex").write_text("...")
    rejected = generate(tmp_path, "--count", "2")
    assert rejected.returncode == 78
    assert f"{tmp_path} is not empty" in rejected.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_that_cannot_be_created_is_a_user_error(tmp_path):
    (tmp_path / "file").write_text("")
    rejected = generate(tmp_path / "file" / "data", "--count", "2")
    assert rejected.returncode == 78
    assert "can't be used" in rejected.stderr
