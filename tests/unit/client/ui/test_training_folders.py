import json
import os
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from finscribe_client.errors import ClientError
from finscribe_client.ui.app import Pages
from finscribe_client.ui.data_reports import find_data_reports
from finscribe_client.ui.training_folders import TrainingFolders
from finscribe_core.look.loss_lines import loss_lines
from tests.unit.client.ui.places import write_training

LOG = [{"step": 5, "loss": 2.0}, {"step": 5, "eval_loss": 1.5}]


@pytest.fixture
def running(tmp_path: Path) -> Path:
    """A training that has written a checkpoint, and nothing else."""
    folder = tmp_path / "runs" / "running"
    (folder / "checkpoint-5").mkdir(parents=True)
    (folder / "config.yaml").write_text("training: {learning_rate: 0.1}")
    state = {"global_step": 5, "max_steps": 20, "log_history": LOG}
    (folder / "checkpoint-5" / "trainer_state.json").write_text(json.dumps(state))
    return folder


def test_a_training_without_a_result_is_shown_up_to_its_checkpoint(running: Path):
    view = TrainingFolders(running, 1).view(".")
    assert (view.name, view.state, view.percent, view.is_live) == ("running", "Running", 25, True)
    assert [line.points for line in loss_lines(view.history)] == [[(5, 2.0)], [(5, 1.5)]]
    assert [attempt.name for attempt in view.attempts] == ["checkpoint-5"]


def test_the_curves_of_a_running_training_come_from_its_tensorboard_files(running: Path):
    writer = EventFileWriter(str(running / "logs"))
    for step, tag, value in (
        (1, "train_loss", 4.0),
        (2, "train_loss", 3.0),
        (2, "eval_loss", 2.5),
        (2, "x", 9.0),
    ):
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
        writer.add_event(Event(step=step, summary=summary))
    writer.close()
    assert TrainingFolders(running, 1).view(".").history == {
        "train_history": [{"step": 1, "loss": 4.0}, {"step": 2, "loss": 3.0}],
        "eval_history": [{"step": 2, "eval_loss": 2.5}],
    }


def test_a_training_that_has_written_nothing_for_minutes_is_interrupted(running: Path):
    for path in (running / "checkpoint-5", running):
        os.utime(path, (1, 1))
    assert TrainingFolders(running.parent, 1).rows()[0].state == "Interrupted"


def test_damaged_files_hide_nothing_else(tmp_path: Path):
    write_training(tmp_path / "good", {"seed": 1})
    write_training(tmp_path / "bad", {"seed": 1})
    (tmp_path / "bad" / "config.yaml").write_text("{")
    (tmp_path / "bad" / "metrics.json").write_text("[1")
    write_training(tmp_path / "strange", {"seed": 1})
    strange = {"evaluation": [], "dataset": 1, "train_history": [1, {"loss": "x"}], "eval_history": {}}
    (tmp_path / "strange" / "metrics.json").write_text(json.dumps(strange))
    write_training(tmp_path / "good" / "result", {"seed": 1})
    (tmp_path / "loop").symlink_to(tmp_path)
    place = TrainingFolders(tmp_path, 1)
    assert {row.name for row in place.rows()} == {"good", "bad", "strange"}
    assert TestClient(Pages([place]).app()).get("/run?key=folder1/strange").status_code == 200
    assert place.view("bad").settings is None
    with pytest.raises(ClientError, match="There is no training"):
        place.view("loop/good")


def test_a_report_on_data_is_found_beside_its_page_only(tmp_path: Path):
    content = {"input": ["a"], "rows": 2, "pass_rate": 0.5, "findings": [], "findings_by_rule": {}}
    content |= {"errors": 1, "warnings": 0, "hints": 0}
    for name in ("report", "other"):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    (tmp_path / "report.html").write_text("")
    (tmp_path / "results.json").write_text('{"findings_by_rule": 1}')
    found = find_data_reports([tmp_path, tmp_path / "none"])
    assert [(Path(report.name).name, report.pass_rate) for report in found] == [("report.json", 50.0)]
