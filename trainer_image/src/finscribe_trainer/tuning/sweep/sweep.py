"""Hyperparameter sweep: optuna suggests settings, and each trial is a training with them."""

import json
import logging
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from finscribe_core.atomic_files import write_atomically
from finscribe_core.errors import FailureReason, UserError
from finscribe_core.report import RunResult
from finscribe_core.trainer_config import OutputFormat, TrainerConfig
from finscribe_trainer.runtime.outputs import claim_folder
from finscribe_trainer.runtime.stop_signal import StopRequested, StopSignal
from finscribe_trainer.tuning.experiments.folder import best_evaluation, read_evaluations
from finscribe_trainer.tuning.experiments.training import Training
from finscribe_trainer.tuning.sweep.space import Parameter, changed

log = logging.getLogger(__name__)

STUDY_FILE, PLAN_FILE = "study.db", "sweep.json"
JSON_FILE, HTML_FILE = "trials.json", "sweep.html"
PLOT_FILE, BEST_FILE = "sweep.png", "best.yaml"
REPORT_FILES = JSON_FILE, HTML_FILE, PLOT_FILE, BEST_FILE
_ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


@dataclass(frozen=True)
class Sweep:
    """Base config, search space and folder of a sweep."""

    base: TrainerConfig
    space: Sequence[Parameter]
    folder: Path
    prune: bool = True

    def training(self, number: int, overrides: dict[str, Any]) -> Training:
        """A trial's training, without upload, merge and final evaluation."""
        config = changed(self.base, overrides)
        update = {
            "output_dir": str(self.folder / f"trial-{number}"),
            "output_uri": None,
            "output_formats": [OutputFormat.Adapter],
            "feature_cache_dir": config.feature_cache_dir or str(self.folder / "features"),
            "evaluation": config.evaluation.model_copy(update={"enabled": False, "gate": None}),
        }
        return Training(config.model_copy(update=update))

    def overrides_of(self, trial: FrozenTrial) -> dict[str, Any]:
        """The settings of a trial that have been chosen so far."""
        known = [parameter for parameter in self.space if parameter.path in trial.params]
        return {parameter.path: parameter.value(trial.params[parameter.path]) for parameter in known}


def open_study(sweep: Sweep) -> optuna.Study:
    """Create or load the study in the sweep's folder.

    Raises:
        UserError: InvalidConfig when it was created with another config or space.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    plan = {
        "config": sweep.base.model_dump(mode="json", exclude={"output_dir", "output_uri"}),
        "space": {p.path: [str(p.distribution), list(p.choices)] for p in sweep.space},
    }
    path = sweep.folder / PLAN_FILE
    if path.is_file() and _read_plan(path) != plan:
        raise UserError(
            FailureReason.InvalidConfig,
            f"{sweep.folder} holds a sweep of another config or space.",
            "Name another --output-dir.",
        )
    write_atomically(path, json.dumps(plan, indent=2).encode() + b"\n")
    study = optuna.create_study(
        storage=f"sqlite:///{sweep.folder / STUDY_FILE}",
        study_name="sweep",
        load_if_exists=True,
        direction="maximize" if sweep.base.early_stopping.metric.greater_is_better else "minimize",
        pruner=optuna.pruners.MedianPruner() if sweep.prune else optuna.pruners.NopPruner(),
    )
    # A resumed sampler would draw the same numbers again: the number of trials is part of its seed.
    study.sampler = optuna.samplers.TPESampler(seed=sweep.base.training.seed + len(study.trials))
    return study


def _read_plan(path: Path) -> Any:
    """The plan of an earlier sweep; None when it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return None


def run_sweep(
    sweep: Sweep,
    num_trials: int,
    timeout: float | None,
    stop: StopSignal,
    after_each: Callable[[optuna.Study], object] = lambda _: None,
    *,
    overwrite: bool = False,
) -> optuna.Study:
    """Run trials until there are `num_trials`; earlier ones count, and an interrupted one resumes.

    Args:
        sweep: base config, search space and folder.
        num_trials: trials in all.
        timeout: seconds after which no further trial starts.
        stop: when requested, the running training saves a checkpoint and ends.
        after_each: called after each trial.
        overwrite: whether results that are not of a sweep may be replaced.

    Raises:
        UserError: the first trial failed, and so would the others.
        StopRequested: `stop` was requested.
    """
    deadline = time.monotonic() + timeout if timeout is not None else None
    writes = (STUDY_FILE, *REPORT_FILES, "trial-0")
    with claim_folder(sweep.folder, overwrite=overwrite, writes=writes, own=PLAN_FILE):
        study = open_study(sweep)
        while len(study.get_trials(deepcopy=False, states=_ENDED)) < num_trials:
            if deadline is not None and time.monotonic() > deadline:
                log.info("timeout reached: %d of %d trials", len(study.trials), num_trials)
                break
            _run_trial(sweep, study, _interrupted(study) or study.ask(), num_trials, stop)
            after_each(study)
    return study


def _interrupted(study: optuna.Study) -> Trial | None:
    """The trial that was started and has not ended, with its settings; None without one."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return Trial(study, running[0]._trial_id) if running else None


def _run_trial(sweep: Sweep, study: optuna.Study, trial: Trial, num_trials: int, stop: StopSignal) -> None:
    overrides = {parameter.path: parameter.suggest(trial) for parameter in sweep.space}
    shown = " ".join(f"{path}={_short(value)}" for path, value in overrides.items())
    log.info("trial-%d (%d trials in all): %s", trial.number, num_trials, shown)
    training = sweep.training(trial.number, overrides)
    reporter = TrialReporter(sweep, trial, training.folder)
    result = training.run(stop, reporter.should_prune, log=training.folder / "train.log")
    if not result.succeeded and stop.requested.is_set():
        raise StopRequested
    reporter.should_prune()
    state, value = _trial_result(result, reporter)
    study.tell(trial, value, state)
    for path in training.folder.glob("checkpoint-*"):
        shutil.rmtree(path)  # those of many trials would fill the disk
    log.info("trial-%d: %s", trial.number, f"{value:.5g}" if value is not None else _describe(state, result))
    if state is TrialState.FAIL and not study.get_trials(
        deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)
    ):
        raise UserError(
            result.known_reason,
            f"The first trial failed: {result.message}",
            result.remedy,
        )


def _trial_result(result: RunResult, reporter: "TrialReporter") -> tuple[TrialState, float | None]:
    """State and objective value of an ended training.

    A NaN or infinite loss is the worst value, and the sampler learns from it (pruned); any other failure does
    not depend on the settings (failed).
    """
    best = best_evaluation(reporter.metric, reporter.evaluations)
    if result.succeeded and best is not None:
        return TrialState.COMPLETE, best.metric
    if reporter.pruned or result.reason is FailureReason.NonFiniteLoss:
        return TrialState.PRUNED, None
    return TrialState.FAIL, None


class TrialReporter:
    """Reports a training's evaluations to optuna as they come, from its checkpoints."""

    def __init__(self, sweep: Sweep, trial: Trial, folder: Path) -> None:
        self.metric = sweep.base.early_stopping.metric
        self.trial = trial
        self.folder = folder
        self.pruned = False
        self._reported: set[int] = set()

    @property
    def evaluations(self) -> Any:
        """The evaluations so far."""
        return read_evaluations(self.folder, self.metric)

    def should_prune(self) -> bool:
        """Whether the trial is to be pruned: it is worse than the median of the others at the same step."""
        for evaluation in self.evaluations:
            if evaluation.step not in self._reported and evaluation.metric is not None:
                self._reported.add(evaluation.step)
                self.trial.report(evaluation.metric, evaluation.step)
                self.pruned = self.pruned or self.trial.should_prune()
        return self.pruned


def _describe(state: TrialState, result: RunResult) -> str:
    if state is TrialState.PRUNED and result.reason is not FailureReason.NonFiniteLoss:
        return "pruned: worse than the median of the other trials at the same step"
    return f"failed: {result.message}"


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
