"""Trials of a sweep: pruning, final states and study, with a real Optuna study."""

from pathlib import Path

import pytest
from optuna.trial import TrialState, create_trial

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.report import RunResult
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.tuning.sweep.report import write_sweep
from finscribe_trainer.tuning.sweep.space import read_space
from finscribe_trainer.tuning.sweep.sweep import Sweep, TrialReporter, _trial_result, open_study
from tests.support.checkpoint import write_checkpoint

BASE = TrainerConfig.model_validate({"dataset_path": "train.jsonl", "output_uri": "s3://bucket/models"})
SPACE = read_space(None, ["training.learning_rate=log:1e-6:1e-3", "lora.r=8,16"])


def evaluated(folder: Path, *losses: float) -> None:
    """Write a checkpoint whose history has these losses, one every 10 steps."""
    history = [{"step": 10 * i, "eval_loss": loss} for i, loss in enumerate(losses, 1)]
    step = 10 * len(losses)
    write_checkpoint(folder / f"checkpoint-{step}", {"global_step": step, "log_history": history})


@pytest.fixture
def study(tmp_path):
    """A study with six complete trials."""
    sweep = Sweep(BASE, SPACE, tmp_path)
    opened = open_study(sweep)
    for number in range(6):
        opened.add_trial(
            create_trial(
                value=1.0,
                params={"training.learning_rate": 1e-5, "lora.r": number % 2},
                distributions={parameter.path: parameter.distribution for parameter in SPACE},
                intermediate_values={10: 2.0, 20: 1.0},
            )
        )
    return opened


@pytest.fixture
def reporter(study, tmp_path):
    trial = study.ask()
    for parameter in SPACE:
        parameter.suggest(trial)
    return TrialReporter(Sweep(BASE, SPACE, tmp_path), trial, tmp_path / "trial-6")


def test_a_trial_worse_than_the_median_of_the_others_at_the_same_step_is_pruned(reporter):
    evaluated(reporter.folder, 1.9)
    assert not reporter.should_prune()
    evaluated(reporter.folder, 1.9, 1.5)
    assert reporter.should_prune()
    stopped = RunResult(succeeded=False, reason=FailureReason.Interrupted, retryable=True)
    assert _trial_result(stopped, reporter) == (TrialState.PRUNED, None)


def test_a_trial_as_good_as_the_others_completes_with_its_best_evaluation(reporter):
    evaluated(reporter.folder, 1.9)
    evaluated(reporter.folder, 1.9, 0.9)
    evaluated(reporter.folder, 1.9, 0.9, 0.95)
    assert not reporter.should_prune()
    assert _trial_result(RunResult(succeeded=True), reporter) == (TrialState.COMPLETE, 0.9)


@pytest.mark.parametrize(
    ("reason", "state"),
    [(FailureReason.NonFiniteLoss, TrialState.PRUNED), (FailureReason.DiskFull, TrialState.FAIL)],
)
def test_a_trial_that_diverges_is_pruned_and_one_with_a_full_disk_fails(reporter, reason, state):
    assert _trial_result(RunResult(succeeded=False, reason=reason), reporter) == (state, None)


def test_trials_upload_nothing_and_have_no_final_evaluation(tmp_path):
    config = Sweep(BASE, SPACE, tmp_path).training(3, {"lora.r": 16}).config
    assert (config.lora.r, config.output_uri, config.evaluation.enabled) == (16, None, False)
    assert config.output_dir == str(tmp_path / "trial-3")


def test_a_folder_of_another_space_is_rejected(study, tmp_path):
    assert len(open_study(Sweep(BASE, SPACE, tmp_path)).trials) == 6
    with pytest.raises(UserError, match="another config or space"):
        open_study(Sweep(BASE, SPACE[:1], tmp_path))


def test_the_page_of_a_sweep_has_every_completed_trial_and_the_best_settings(study, tmp_path):
    sweep = Sweep(BASE, SPACE, tmp_path)
    study.add_trial(
        create_trial(
            value=0.5,
            params={"training.learning_rate": 2e-5, "lora.r": 1},
            distributions={parameter.path: parameter.distribution for parameter in SPACE},
        )
    )
    assert tmp_path / "sweep.html" in write_sweep(sweep, study)
    page = (tmp_path / "sweep.html").read_text()
    assert "Best eval_loss: 0.5, trial 6." in page
    assert "--set training.learning_rate=2e-05 --set lora.r=16" in page
    assert page.count('<th scope="row">') == 7
    assert "trials from 1 at 0 to 0.5 at 6; best so far from 1 at 0 to 0.5 at 6" in page
