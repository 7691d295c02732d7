import json

import pytest

from finscribe_core.errors import UserError
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.rows import Row, Turn
from finscribe_trainer.training.curriculum.prepare import prepare_curriculum

ROWS = [
    Example(Row((Turn("user", "Read."),), answer), f"rows.jsonl:{line}")
    for line, answer in enumerate(["a much longer answer", "short", "an answer"], start=1)
]


def config(folder: str, **curriculum: object) -> TrainerConfig:
    return TrainerConfig.model_validate(
        {"dataset_path": "rows.jsonl", "output_dir": folder, "curriculum": curriculum}
    )


def test_rows_are_ranked_and_their_scores_written_to_the_output_folder(tmp_path):
    curriculum = prepare_curriculum(config(str(tmp_path), enabled=True), ROWS, num_epochs=3)
    assert list(curriculum.ranked) == [1, 2, 0]
    lines = [json.loads(line) for line in (tmp_path / "difficulty.jsonl").read_text().splitlines()]
    assert [(line["where"], line["score"]) for line in lines] == [
        ("rows.jsonl:1", 1.0),
        ("rows.jsonl:2", 0.0),
        ("rows.jsonl:3", 0.5),
    ]


@pytest.mark.parametrize(
    ("settings", "warned"), [({}, False), ({"pacing": "root"}, True), ({"enabled": False}, False)]
)
def test_settings_of_a_disabled_curriculum_cause_a_warning(tmp_path, caplog, settings, warned):
    assert prepare_curriculum(config(str(tmp_path), **settings), ROWS, num_epochs=3) is None
    assert ("set curriculum.enabled to true" in caplog.text) == warned


def test_an_unwritable_output_folder_is_a_user_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="can't be used: Not a directory"):
        prepare_curriculum(config(str(tmp_path / "file" / "out"), enabled=True), ROWS, num_epochs=3)
