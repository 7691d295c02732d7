"""`--dry-run` finds what the training would fail on, trains nothing, and leaves no file."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from finscribe_trainer.storage import RetryPolicy
from tests.support.command import finscribe


@pytest.fixture
def project(sample: Path, tmp_path: Path) -> Path:
    """A config with its rows and model, which a mistake is then made in."""
    shutil.copytree(sample, tmp_path / "sample")
    config = {
        "model_name_or_path": "sample/model",
        "dataset_path": "sample/train.jsonl",
        "validation_path": "sample/val.jsonl",
        "output_dir": "out",
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


def set_key(project: Path, **changes: object) -> None:
    config = yaml.safe_load((project / "config.yaml").read_text()) | changes
    (project / "config.yaml").write_text(yaml.safe_dump(config))


def damage_an_image(project: Path) -> None:
    row = json.loads((project / "sample/train.jsonl").read_text().splitlines()[0])
    name = row.get("image") or row["input"]
    (project / "sample" / name).write_bytes(b"no image")


def drop_images(project: Path) -> None:
    file = project / "sample/train.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    texts = [{"instruction": row["instruction"], "output": row["output"]} for row in rows]
    file.write_text("".join(json.dumps(row) + "\n" for row in texts))


MISTAKES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a wrong setting": (lambda p: set_key(p, training={"learning_rate": 3}), "training.learning_rate"),
    "missing rows": (lambda p: (p / "sample/val.jsonl").unlink(), "error (DatasetNotFound)"),
    "a damaged image": (damage_an_image, "train.jsonl:1"),
    "rows that are too long": (lambda p: set_key(p, training={"max_sequence_length": 16}), "longer than"),
    "no page": (drop_images, "0 of 8 training samples have images"),
    "no tokenizer": (lambda p: (p / "sample/model/tokenizer.json").unlink(), "contains no tokenizer"),
    "weights cut off": (lambda p: os.truncate(p / "sample/model/model.safetensors", 900), "damaged weights"),
    "checkpoints of another training": (
        lambda p: (p / "out/checkpoint-3").mkdir(parents=True),
        "holds checkpoints of an earlier training",
    ),
    "an output folder that is a file": (lambda p: (p / "out").write_text(""), "out"),
    "a bucket that can't be reached": (
        lambda p: set_key(p, output_uri="s3://results", storage={"endpoint": "http://127.0.0.1:1"}),
        "error (StorageUnavailable)",
    ),
}


@pytest.mark.parametrize(("mistake", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_dry_run_fails_as_the_training_would(mistake, message, project, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setattr(RetryPolicy, "delay", lambda self, failures: 0.0)
    mistake(project)
    done = finscribe(["train", "--config", "config.yaml", "--dry-run"], project)
    assert done.exit_code in (75, 78), done.output
    assert message in done.output


def test_a_dry_run_reports_what_it_read_and_leaves_nothing(project):
    before = sorted(project.rglob("*"))
    done = finscribe(["train", "--config", "config.yaml", "--dry-run"], project)
    assert done.exit_code == 0, done.output
    assert "8 training, 4 validation; 10 of 12 samples have images; 0 are too long" in done.output
    assert sorted(project.rglob("*")) == before
