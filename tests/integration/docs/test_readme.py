"""The README's way to a trained model without a cluster, typed as it stands there."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.docs.pages import ALL, ROOT

PATIENCE_SECONDS = 280


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the commands need of a checkout: the examples, and the installed packages."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


def commands(*names: str) -> list[str]:
    """The README's lines that call these subcommands."""
    return [
        line
        for line in ALL["README.md"].commands
        if line.startswith(".venv/bin/") and line.split()[1] in names
    ]


def test_the_readmes_sample_and_training_work_as_written(checkout):
    lines = commands("sample", "train")
    assert [line.split()[1] for line in lines] == ["sample", "train"]
    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join(lines)],
        cwd=checkout,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]

    result = checkout / "finetuned_model"
    figures = json.loads((result / "metrics.json").read_text())
    assert figures["best_eval_loss"] < figures["base_eval_loss"]
    # docs/trainer.md says what lies there.
    for name in ("final_model/adapter_model.safetensors", "merged_model/model.safetensors", "config.yaml"):
        assert (result / name).is_file(), name
