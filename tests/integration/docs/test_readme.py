"""Runs the commands of the README, from the sample to the comparison, with few rows."""

import json
import shutil
from pathlib import Path

import pytest

from tests.integration.docs.shell import finscribe_lines, run
from tests.unit.docs.pages import ROOT

pytestmark = pytest.mark.timeout(900)  # the training of the README takes minutes

RUN = finscribe_lines("README.md", "sample", "train", "data", "evaluate", "compare")
FEW_ROWS = "--rows 64 --validation-rows 8 --test-rows 4"


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """What the commands need of a checkout, after the README's sample and its training."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "examples", folder / "examples")
    shutil.copytree(ROOT / "data", folder / "data")
    lines = finscribe_lines("README.md", "sample", "train")
    assert [line.split()[1] for line in lines] == ["sample", "train"]
    run([line.replace("--output-dir sample", f"--output-dir sample {FEW_ROWS}") for line in lines], folder)
    return folder


def test_the_sample_and_training_of_the_readme_work_as_written(trained):
    result = trained / "finetuned_model"
    metrics = json.loads((result / "metrics.json").read_text())
    assert metrics["best_eval_loss"] < metrics["base_eval_loss"]
    # The files that docs/trainer.md lists.
    for name in (
        "final_model/adapter_model.safetensors",
        "merged_model/model.safetensors",
        "evaluation/report.html",
        "config.yaml",
    ):
        assert (result / name).is_file(), name


def test_the_data_evaluation_and_comparison_of_the_readme_work_as_written(trained):
    lines = finscribe_lines("README.md", "data", "evaluate", "compare")
    assert len(lines) == 4
    printed = run([line.replace("--count 200", "--count 12") for line in lines], trained)
    assert "Validation Pass Rate: " in printed
    for name in ("synthetic/train.jsonl", "results.json", "report.md", "report.html", "results-tuned.json"):
        assert (trained / name).is_file(), name
