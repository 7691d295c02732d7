"""The report of experiments, from the output folders of trainings."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from finscribe_core.errors import FailureReason
from finscribe_core.experiments import Variant
from finscribe_core.report import RunResult
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.cli.experiments import experiments
from finscribe_trainer.evaluation.results import write_results
from finscribe_trainer.tuning.experiments.results import State, collect
from finscribe_trainer.tuning.experiments.run import write_plan
from tests.support.comparison import results_of

RIGHT, WRONG = ({"vendor": "Acme"}, {"vendor": "Acme"}), ({"vendor": "Acme"}, {"vendor": "Amce"})
LOSSES = {"baseline": [2.0, 1.5], "better": [2.0, 1.25, 1.75], "worse": [2.5, 2.25]}


def variants(metric: str) -> list[Variant]:
    config = TrainerConfig.model_validate(
        {"dataset_path": "train.jsonl", "early_stopping": {"metric": metric}}
    )
    changes = {"better": {"training.learning_rate": 1e-4}, "worse": {"lora.r": 1}, "broken": {"lora.r": 2}}
    names = ["baseline", "better", "worse", "broken", "later"]
    return [Variant(name, config, changes.get(name, {}), f"About | {name}") for name in names]


def write_outcome(folder: Path, result: RunResult) -> None:
    folder.mkdir()
    (folder / "outcome.json").write_text(result.to_termination_message())


@pytest.fixture(params=["eval_loss", "eval_field_accuracy"])
def folder(tmp_path: Path, request) -> Path:
    """Three finished experiments, one with better answers; one failed and one not started."""
    write_plan(variants(request.param), tmp_path)
    for name, losses in LOSSES.items():
        write_outcome(tmp_path / name, RunResult(succeeded=True))
        history = [
            {"step": 10 * i, "eval_loss": loss, "eval_field_accuracy": 1 - loss / 10}
            for i, loss in enumerate(losses, 1)
        ]
        (tmp_path / name / "metrics.json").write_text(json.dumps({"eval_history": history}))
        answers = [RIGHT if name == "better" else WRONG] * 8
        write_results(results_of(name, answers), tmp_path / name / "evaluation" / "results-tuned.json")
    lost = RunResult(succeeded=False, reason=FailureReason.NonFiniteLoss, message="The loss became NaN.")
    write_outcome(tmp_path / "broken", lost)
    return tmp_path


def test_the_best_experiment_has_the_best_evaluation_by_the_metric(folder):
    found = collect(folder)
    assert [run.state for run in found.runs] == [
        *(State.finished, State.finished, State.finished, State.failed, State.pending),
    ]
    assert found.best.name == "better"
    assert (found.best.best.step, found.best.best.loss) == (20, 1.25)


def test_the_report_has_a_summary_a_table_and_a_plot(folder):
    shown = CliRunner().invoke(experiments, ["report", str(folder)])
    assert shown.exit_code == 0, shown.output
    text = (folder / "results.md").read_text()
    assert "better, " in text.splitlines()[2]
    assert "significantly better (+100.0 points, p = 0.016)" in text
    assert "| worse | lora.r = 1 | 20 | 2.25 |" in text
    assert "| failed: NonFiniteLoss |" in text
    assert "broken failed: NonFiniteLoss: The loss became NaN." in text
    assert "About \\| better" in text  # a user's text does not break the table
    assert (folder / "results.png").read_bytes().startswith(b"\x89PNG")
    page = (folder / "results.html").read_text()
    assert page.count("<polyline") == sum(map(bool, LOSSES.values()))
    assert "significantly better (+100.0 points, p = 0.016)" in page
    data = json.loads((folder / "results.json").read_text())
    assert data["best"] == "better"
    assert data["runs"][1]["judgement"]["difference"]["value"] == 1.0


def test_a_folder_without_experiments_is_rejected(tmp_path):
    result = CliRunner().invoke(experiments, ["report", str(tmp_path)])
    assert "holds no experiments" in str(result.exception)
