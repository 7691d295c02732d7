"""Runs never share a name or a folder, and the training that one replaces is removed as a whole."""

from pathlib import Path

import pytest

from finscribe_core.errors import UserError
from finscribe_trainer.pipeline.export import remove_training
from finscribe_trainer.pipeline.session import run_name
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.training.checkpoints import refuse_earlier_training
from finscribe_trainer.training.run import Run

RESULT = [
    "metrics.json",
    "final_model/adapter_config.json",
    "merged_model/config.json",
    "evaluation/report.md",
]
TRAINING = [*RESULT, "logs/events", "checkpoint-3/trainer_state.json", "checkpoint-12/trainer_state.json"]
CACHES = ["features/page", "inputs/train.jsonl", "config.yaml", "train.log"]


def write(folder: Path, names: list[str]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")


def test_runs_started_in_the_same_second_have_different_names(config, monkeypatch):
    monkeypatch.delenv("FINSCRIBE_RUN", raising=False)
    uploaded = config.model_copy(update={"output_uri": "s3://team/models"})
    names = {run_name(uploaded) for _ in range(100)}
    assert len(names) == 100
    assert all(name.startswith("local-20") and len(name) < 40 for name in names)


@pytest.mark.parametrize("left", [*RESULT, "checkpoint-3/trainer_state.json"])
def test_a_folder_with_any_part_of_an_earlier_training_is_refused(left, tmp_path):
    write(tmp_path, [*CACHES, left])
    with pytest.raises(UserError, match="of an earlier training") as caught:
        refuse_earlier_training(tmp_path)
    assert "--overwrite" in caught.value.remedy


def test_a_folder_with_caches_and_a_config_is_accepted(tmp_path):
    write(tmp_path, CACHES)
    refuse_earlier_training(tmp_path)


def test_an_overwritten_training_is_removed_with_all_its_parts(tmp_path):
    write(tmp_path, [*TRAINING, *CACHES, "notes.txt"])
    remove_training(tmp_path)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {*CACHES, "notes.txt"}


@pytest.mark.parametrize(
    ("resume", "in_place"),
    [
        ("out/checkpoint-3", True),
        ("out/../out/checkpoint-3/", True),
        ("elsewhere/checkpoint-3", False),
        ("s3://team/runs/r/checkpoints/checkpoint-3", True),
        ("s3://team/runs/r/checkpoints/checkpoint-9", False),
        (None, False),
    ],
)
def test_a_run_resumes_in_place_from_a_checkpoint_in_its_own_folder(
    resume, in_place, config, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, ["out/checkpoint-3/trainer_state.json", "elsewhere/checkpoint-3/trainer_state.json"])
    run = Run(config, "", resume, RunReporter(run="", job=""), StopSignal())
    assert run.resumes_in_place is in_place
