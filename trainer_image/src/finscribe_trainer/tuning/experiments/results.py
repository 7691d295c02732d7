"""Collects the results of experiments from their folders, and compares them with the baseline."""

import json
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import DocumentMetric, SelectionMetric
from finscribe_trainer.evaluation.compare import PRIMARY_METRIC
from finscribe_trainer.evaluation.results import TUNED_RESULTS, Results, read_results
from finscribe_trainer.metrics.corpus import MetricEstimate
from finscribe_trainer.runtime.output_layout import EVALUATION_DIR
from finscribe_trainer.tuning.experiments.folder import (
    Evaluation,
    best_by,
    best_evaluation,
    read_evaluations,
    read_outcome,
)
from finscribe_trainer.tuning.experiments.significance import Judgement, judge

PLAN_FILE = "experiments.json"
JSON_FILE, MARKDOWN_FILE = "results.json", "results.md"
HTML_FILE, PLOT_FILE = "results.html", "results.png"
REPORT_FILES = JSON_FILE, MARKDOWN_FILE, HTML_FILE, PLOT_FILE


class State(StrEnum):
    """State of an experiment."""

    finished = "finished"
    failed = "failed"
    unfinished = "unfinished"
    """Started and stopped: the same command resumes it."""
    pending = "pending"
    """Not started."""


@dataclass(frozen=True)
class Trained:
    """One experiment and its results so far."""

    name: str
    overrides: dict[str, Any]
    """Settings that differ from the baseline."""
    description: str
    expected_behavior: str
    notes: str
    state: State
    problem: str
    """Why it failed."""
    evaluations: tuple[Evaluation, ...]
    """In the order of their steps."""
    best: Evaluation | None
    """The evaluation whose adapter is exported."""
    figure: MetricEstimate | None
    """The tuned model's value of the metric `Experiments.judged_by`, with its interval."""
    judgement: Judgement | None
    """Comparison with the baseline; None for the baseline itself."""


@dataclass(frozen=True)
class Experiments:
    """All experiments and their results so far."""

    metric: SelectionMetric
    """The metric by which the best checkpoint, and the best experiment, is chosen."""
    judged_by: DocumentMetric
    """The document metric in which experiments are compared."""
    documents: int
    """Documents on which every tuned model was evaluated; 0 without evaluation."""
    runs: tuple[Trained, ...]
    """The baseline first."""

    @property
    def best(self) -> Trained | None:
        """The finished one with the best metric; the earlier one of equals."""
        finished = [run for run in self.runs if run.state is State.finished and run.best is not None]
        return best_by(self.metric, finished, lambda run: run.best.metric if run.best else None)


def read_plan(folder: Path) -> dict[str, Any]:
    """The plan of the experiments in a folder.

    Raises:
        UserError: InvalidConfig when the folder holds no experiments.
    """
    try:
        plan: dict[str, Any] = json.loads((folder / PLAN_FILE).read_text(encoding="utf-8"))
        if not isinstance(plan, dict):
            raise ValueError("not a plan")
    except (OSError, ValueError, RecursionError):
        raise UserError(
            FailureReason.InvalidConfig,
            f"{folder} holds no experiments.",
            "Name the --output-dir of `finscribe experiments run`.",
        ) from None
    return plan


def collect(folder: Path) -> Experiments:
    """The results so far of the experiments in a folder.

    Raises:
        UserError: InvalidConfig when it holds none.
    """
    plan = read_plan(folder)
    metric = SelectionMetric(plan["metric"])
    judged_by = PRIMARY_METRIC
    if metric is not SelectionMetric.eval_loss:
        judged_by = DocumentMetric(metric.removeprefix("eval_"))
    names = [entry["name"] for entry in plan["experiments"]]
    answers = {name: _answers(folder / name) for name in names}
    base = answers[names[0]]
    judgements = judge(base, {name: answers[name] for name in names[1:]}, judged_by)
    runs = []
    for entry in plan["experiments"]:
        state, problem = _state(folder / entry["name"])
        evaluations = read_evaluations(folder / entry["name"], metric)
        found = answers[entry["name"]]
        runs.append(
            Trained(
                **entry,
                state=state,
                problem=problem,
                evaluations=evaluations,
                best=best_evaluation(metric, evaluations),
                figure=found.summary.metrics.get(judged_by) if found else None,
                judgement=judgements.get(entry["name"]),
            )
        )
    return Experiments(metric, judged_by, len(base.documents) if base else 0, tuple(runs))


def _state(folder: Path) -> tuple[State, str]:
    outcome = read_outcome(folder)
    if outcome is None:
        return (State.unfinished if folder.is_dir() else State.pending), ""
    if outcome.succeeded:
        return State.finished, ""
    if outcome.reason is FailureReason.Interrupted:
        return State.unfinished, ""
    return State.failed, f"{outcome.reason}: {outcome.message}"


def _answers(folder: Path) -> Results | None:
    """The evaluation of the tuned model, if there is one."""
    path = folder / EVALUATION_DIR / TUNED_RESULTS
    return read_results(path) if path.is_file() else None
