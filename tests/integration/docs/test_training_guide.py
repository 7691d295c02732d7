"""Runs every command of the training guide, unchanged, with the tiny model, in the test's process."""

import json
import re
import shutil
import urllib.request
from pathlib import Path

import pytest

from tests.integration.docs.shell import call, environment, finscribe_lines
from tests.support.served import served
from tests.unit.docs.pages import ALL, ROOT

PAGE = "docs/training-guide.md"
RESULT = "finetuned_paddleocr_invoice_model"
QUICK = """
validation_path: data/val.jsonl
evaluation: {training_documents: 1, max_documents: 2, max_new_tokens: 24}
"""
"""Beside the guide's own configuration: evaluating documents takes most of the time."""
SHORTER = {"--count 5000": "--count 12", "finscribe lr-finder": "finscribe lr-finder --num-steps 20"}
"""Parts of lines that would take long; all else is unchanged."""
TRAIN, *_ = [line for line in finscribe_lines(PAGE) if line.startswith("finscribe train ")]
TENSORBOARD = next(line for line in ALL[PAGE].tested_commands if line.startswith("tensorboard "))
DRY_RUN = f"{TRAIN} --dry-run"
LINES = [line for line in finscribe_lines(PAGE) if line != TRAIN]  # that one makes the `project`
RUN = [TRAIN, *LINES, TENSORBOARD]


def file_of(name: str) -> str:
    """The YAML block of the page whose first line names the file."""
    return next(block for block in ALL[PAGE].blocks("yaml") if block.startswith(f"# {name}\n"))


@pytest.fixture(scope="module")
def project(sample: Path, tmp_path_factory) -> Path:
    """The files that the page assumes: configuration, data, the model, and a training of it."""
    folder = tmp_path_factory.mktemp("guide")
    (folder / "PaddlePaddle").mkdir()
    shutil.copytree(sample / "model", folder / "PaddlePaddle/PaddleOCR-VL")
    (folder / "data/test_dataset").mkdir(parents=True)
    for name in ("images", "test_dataset/images"):
        shutil.copytree(sample / "images", folder / "data" / name)
    for name, source in (
        ("unsloth_train", "train"),
        ("custom_train", "train"),
        ("custom_val", "val"),
        ("val", "val"),
        ("test_dataset/test", "val"),
    ):
        shutil.copy(sample / f"{source}.jsonl", folder / f"data/{name}.jsonl")
    shutil.copytree(ROOT / "data/images", folder / "data/images", dirs_exist_ok=True)
    shutil.copy(ROOT / "data/train.jsonl", folder / "data/your_train.jsonl")
    shutil.copy(ROOT / "data/schema.json", folder / "data/schema.json")
    (folder / "finetune_config.yaml").write_text(file_of("finetune_config.yaml") + QUICK)
    (folder / "experiments.yaml").write_text(file_of("experiments.yaml"))
    call(f"{TRAIN} --strict --set training.logging_steps=1", folder)
    first = min((folder / RESULT).glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    first.rename(folder / RESULT / "checkpoint-1000")
    return folder


@pytest.fixture
def copy(project: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(project, tmp_path / "project"))


def test_the_original_guides_configuration_trains_on_the_rows_of_a_checkout(sample, tmp_path):
    """Only the model is the tiny one; two steps show that the rows are found and fit."""
    shutil.copytree(ROOT / "data", tmp_path / "data")
    shutil.copytree(sample / "model", tmp_path / "PaddlePaddle/PaddleOCR-VL")
    shutil.copy(ROOT / "tests/cases/training_guide.yaml", tmp_path / "finetune_config.yaml")
    files = [tmp_path / f"data/unsloth_{name}.jsonl" for name in ("train", "val")]
    assert [len(file.read_text().splitlines()) for file in files] == [64, 16]
    call(f"{TRAIN} --strict --set training.max_steps=2 --set evaluation.enabled=false", tmp_path)
    metrics = json.loads((tmp_path / RESULT / "metrics.json").read_text())
    assert (metrics["steps"], metrics["dataset"]["train"]) == (2, "./data/unsloth_train.jsonl")


def outputs_of(line: str) -> list[str]:
    """The files that a line must create."""
    if line == DRY_RUN:
        return []
    named = re.findall(r"--output(?:-dir)? (\S+)", line)
    return named or [f"{RESULT}/final_model/adapter_model.safetensors"]


@pytest.mark.parametrize("line", LINES, ids=[re.sub(r"\W+", "_", line)[10:70] for line in LINES])
def test_a_command_of_the_guide_works_unchanged(copy, line):
    if line.startswith("finscribe train") and "--resume" not in line:
        shutil.rmtree(copy / RESULT)
    for written, shorter in SHORTER.items():
        line = line.replace(written, shorter)
    call(line, copy)
    for name in outputs_of(line):
        assert (copy / name).exists(), name


def test_the_output_folder_equals_the_tree_in_the_guide(project):
    drawn = re.search(rf"```\n{RESULT}/\n(.*?)```", ALL[PAGE].text, re.DOTALL)
    assert drawn
    names = {line.split()[0].rstrip("/") for line in drawn[1].splitlines()} | {"metrics.json"}
    assert names >= {"final_model", "logs", "config.yaml"}
    for name in names - {"checkpoint-<step>", "merged_model", "runs"}:
        assert (project / RESULT / name).exists(), name
    metrics = json.loads((project / RESULT / "metrics.json").read_text())
    assert metrics["steps"] == 5


def test_tensorboard_shows_the_metrics_that_the_guide_names(project):
    with (
        served(f"{TENSORBOARD} --port 0 --host 127.0.0.1", project, environment()) as address,
        urllib.request.urlopen(f"{address}data/plugin/scalars/tags", timeout=30) as answer,
    ):
        tags = {tag for run_ in json.load(answer).values() for tag in run_}
    asked = re.findall(r"^\| `(\w+)` \| ", ALL[PAGE].text, re.MULTILINE)
    assert asked == ["train_loss", "eval_loss", "eval_field_accuracy", "eval_teds_score"]
    written = {tag.replace("/", "_") for tag in tags}
    assert set(asked) <= written
