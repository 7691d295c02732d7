"""The README's way to a trained model, and the training guide's commands, typed as they stand."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.docs.pages import ALL, ROOT

PATIENCE_SECONDS = 280


def typed(page: str, *names: str) -> list[str]:
    """The lines of a page that call these subcommands of finscribe, in their order."""
    calls = [line.removeprefix(".venv/bin/") for line in ALL[page].commands]
    return [call for call in calls if call.startswith("finscribe ") and call.split()[1] in names]


def run(lines: list[str], folder: Path) -> str:
    """Run the lines in a shell, and return what they print; any that fails is shown."""
    path = f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join(lines)],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PATH": path},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """What the commands need of a checkout, after the README's sample and its training."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "examples", folder / "examples")
    shutil.copytree(ROOT / "data", folder / "data")
    lines = typed("README.md", "sample", "train")
    assert [line.split()[1] for line in lines] == ["sample", "train"]
    run(lines, folder)
    return folder


def test_the_readmes_sample_and_training_work_as_written(trained):
    result = trained / "finetuned_model"
    figures = json.loads((result / "metrics.json").read_text())
    assert figures["best_eval_loss"] < figures["base_eval_loss"]
    # docs/trainer.md says what lies there.
    for name in (
        "final_model/adapter_model.safetensors",
        "merged_model/model.safetensors",
        "evaluation/report.html",
        "config.yaml",
    ):
        assert (result / name).is_file(), name


def test_the_readmes_data_evaluation_and_comparison_work_as_written(trained):
    lines = typed("README.md", "data", "evaluate", "compare")
    assert len(lines) == 4
    printed = run([line.replace("--count 200", "--count 12") for line in lines], trained)
    assert "Validation Pass Rate: " in printed
    for name in ("synthetic/train.jsonl", "results.json", "report.md", "report.html", "results-tuned.json"):
        assert (trained / name).is_file(), name


def test_the_training_guides_data_and_evaluation_commands_work_with_its_flags(trained):
    (trained / "PaddlePaddle").mkdir()
    (trained / "PaddlePaddle/PaddleOCR-VL").symlink_to(trained / "sample/model")
    (trained / "finetuned_paddleocr_invoice_model").symlink_to(trained / "finetuned_model")
    shutil.copytree(trained / "sample/images", trained / "data/test_dataset/images")
    rows = (trained / "sample/val.jsonl").read_text().splitlines(keepends=True)
    (trained / "data/test_dataset/test.jsonl").write_text("".join(rows[:4]))
    shutil.copy(trained / "data/train.jsonl", trained / "data/your_train.jsonl")

    lines = typed("docs/guide-commands.md", "data", "evaluate", "compare")
    assert len(lines) == 4
    printed = run([line.replace("--count 5000", "--count 12") for line in lines], trained)
    for figure in ("Field Accuracy", "TEDS Score", "Numeric Accuracy", "Validation Pass Rate"):
        assert f"\n{figure}: " in f"\n{printed}"
    for name in ("data/synthetic/train.jsonl", "evaluation/results.json", "evaluation/comparison_report.md"):
        assert (trained / name).is_file(), name
