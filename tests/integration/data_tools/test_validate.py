"""`finscribe data validate` as a process: with a model, stopped by Ctrl+C, and on a full disk."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from finscribe_core.constants import EXIT_RETRY, EXIT_USER_ERROR

COMMAND = [sys.executable, "-m", "finscribe_trainer", "data", "validate"]
# Mounts in a mount namespace (and a user namespace if not root), which needs no privileges.
ON_A_FULL_DISK = 'mount -t tmpfs -o size=8k tmpfs "$1" && shift && exec "$@"'


def test_tokens_are_counted_with_the_models_tokenizer(sample: Path, tmp_path: Path):
    shutil.copytree(sample / "images", tmp_path / "images")
    rows = tmp_path / "train-changed.jsonl"
    invalid = json.dumps({"prompt": "Total? </s>", "completion": "{}"})
    rows.write_text((sample / "train.jsonl").read_text() + invalid + "\n")
    command = [*COMMAND, "--input", rows, "--model", sample / "model", "--max-sequence-length", "200"]

    command += ["--output", tmp_path / "report.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == EXIT_USER_ERROR, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["findings_by_rule"]["reserved-token"] == 1
    assert report["findings_by_rule"]["too-many-tokens"] >= 1
    assert sum(report["statistics"]["tokens"].values()) == 9
    assert report["statistics"]["images"] == 7


def test_ctrl_c_writes_a_report_of_the_findings_so_far(tmp_path: Path):
    rows = tmp_path / "rows.jsonl"
    with rows.open("w") as file:
        for number in range(300_000):
            file.write(json.dumps({"prompt": f"{number}", "completion": "no JSON"}) + "\n")
    process = subprocess.Popen(
        [*COMMAND, "--input", rows, "--output", tmp_path / "report.json"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    _wait_until_reading(process, rows)
    process.send_signal(signal.SIGINT)
    _, output = process.communicate(timeout=60)

    assert process.returncode == EXIT_RETRY, output
    assert "the others were not validated" in output
    report = json.loads((tmp_path / "report.json").read_text())
    assert not report["complete"]
    assert 0 < report["rows"] == report["findings_by_rule"]["answer-json"] < 300_000


def _wait_until_reading(process: "subprocess.Popen[str]", rows: Path) -> None:
    """Until a good part of the file is read."""
    while process.poll() is None:
        for link in Path(f"/proc/{process.pid}/fd").iterdir():
            try:
                if link.readlink() == rows and _position(process.pid, link.name) > 1 << 20:
                    return
            except OSError:  # closed in between
                continue
        time.sleep(0.05)


def _position(pid: int, descriptor: str) -> int:
    """Bytes of an open file that were read."""
    return int(Path(f"/proc/{pid}/fdinfo/{descriptor}").read_text().split()[1])


def test_a_full_disk_is_reported_and_leaves_no_partial_report(tmp_path: Path):
    (tmp_path / "disk").mkdir()
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"prompt": "?", "completion": "no JSON"}) + "\n")
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    mount = ["unshare", "--mount", *as_root, "sh", "-c", ON_A_FULL_DISK, "sh"]
    command = [*COMMAND, "--input", str(rows), "--output", str(tmp_path / "disk/report.json")]
    listing = ["sh", "-c", '"$@"; echo "exit $?"; ls -A "$0"', tmp_path / "disk", *command]

    done = subprocess.run([*mount, tmp_path / "disk", *listing], capture_output=True, text=True, check=False)

    assert "No space left on device" in done.stderr, done.stderr
    assert f"exit {EXIT_RETRY}" in done.stdout
    assert "tmp" not in done.stdout.partition("exit")[2]
    assert "[answer-json]" in done.stderr
