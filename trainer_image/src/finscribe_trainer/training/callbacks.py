"""Trainer callbacks: when to evaluate, save and stop; progress reports; checkpoint uploads."""

import logging
import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.report import Phase
from finscribe_core.trainer_config import EarlyStoppingSpec, PatienceUnit
from finscribe_trainer.distributed.processes import Processes
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal

log = logging.getLogger(__name__)

BASE_LOSS = "base_eval_loss"
SHOWN = ("loss", "eval_loss", "eval_field_accuracy", "eval_teds_score", "learning_rate", "epoch")
"""Metrics shown in a console line; the base model's likewise."""
REPORTED = (
    "eval_loss",
    "eval_field_accuracy",
    "eval_teds_score",
    "eval_numeric_accuracy",
    "eval_validation_pass_rate",
)
"""Metrics of an evaluation that are reported to the job's status and /metrics."""


class EvaluationScheduleCallback(TrainerCallback):
    """Evaluates and saves after the last step, too. When a stop is requested in any process, saves a
    checkpoint after the current step and ends the training.
    """

    def __init__(self, stop: StopSignal, processes: Processes) -> None:
        self.stop = stop
        self.processes = processes

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Decide whether to evaluate, save or stop after this step."""
        if self.processes.any(self.stop.requested.is_set()):
            self.stop.requested.set()
            log.info("stop requested: saving a checkpoint after step %d", state.global_step)
            control.should_evaluate = False
            control.should_save = control.should_training_stop = True
        elif state.global_step >= state.max_steps:
            control.should_evaluate = control.should_save = True
        return control


class EarlyStopping(TrainerCallback, ExportableState):
    """Ends the training after `patience` evaluations in a row, or epochs, without improvement.

    An evaluation improves when its metric is more than `min_delta` better than that of the last improvement,
    so that many small gains add up to one. Epochs are counted from that improvement to the latest evaluation:
    where evaluations do not coincide with the ends of epochs, the training ends at the first one that is
    `patience` epochs or more after it. The counters are part of each checkpoint.
    """

    def __init__(self, spec: EarlyStoppingSpec) -> None:
        self.spec = spec
        self.reference = -math.inf if spec.metric.greater_is_better else math.inf
        self.evaluations_without_improvement = 0
        self.improved_at = 0.0
        """Epochs trained at the last improvement."""
        self.evaluated_at = 0.0
        """Epochs trained at the last evaluation."""

    @property
    def triggered(self) -> bool:
        """Whether the training has to end."""
        passed: float = self.evaluations_without_improvement
        if self.spec.patience_unit is PatienceUnit.epochs:
            passed = round(self.evaluated_at - self.improved_at, 6)  # sums of steps / steps in an epoch
        return self.spec.enabled and passed >= self.spec.patience

    def observe(self, value: float, epoch: float) -> None:
        """Add an evaluation after `epoch` epochs."""
        self.evaluated_at = epoch
        gain = value - self.reference if self.spec.metric.greater_is_better else self.reference - value
        if gain > self.spec.min_delta:
            self.reference, self.evaluations_without_improvement, self.improved_at = value, 0, epoch
        else:
            self.evaluations_without_improvement += 1

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> TrainerControl:
        """Add an evaluation of the tuned model, and stop the training if patience has run out."""
        metrics: dict[str, float] = given["metrics"]
        if self.spec.metric in metrics:
            self.observe(metrics[self.spec.metric], state.epoch or 0.0)
            if self.triggered:
                log.info(
                    "early stopping at step %d: %d evaluations (%.3g epochs) without %s more than %g better "
                    "than %.6g",
                    state.global_step,
                    self.evaluations_without_improvement,
                    self.evaluated_at - self.improved_at,
                    self.spec.metric,
                    self.spec.min_delta,
                    self.reference,
                )
                control.should_training_stop = control.should_save = True
        return control

    def state(self) -> dict[str, Any]:
        """For the checkpoint; without the spec, so that a changed patience takes effect after a resume."""
        attributes = {
            "metric": str(self.spec.metric),
            "reference": self.reference,
            "fruitless": self.evaluations_without_improvement,  # the key of older checkpoints
            "improved_at": self.improved_at,
            "evaluated_at": self.evaluated_at,
        }
        return {"args": {}, "attributes": attributes}

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned.

        Raises:
            UserError: InvalidConfig when the metric has changed, by which the best adapter was chosen.
        """
        attributes = state.get("attributes", {})
        metric = attributes.get("metric", self.spec.metric)
        if metric != self.spec.metric:
            raise UserError(
                FailureReason.InvalidConfig,
                f"The checkpoint's best adapter was chosen by {metric}, but early_stopping.metric is now "
                f"{self.spec.metric}.",
                f"Set early_stopping.metric to {metric}, or start a new training.",
            )
        self.reference = attributes.get("reference", self.reference)
        self.evaluations_without_improvement = attributes.get("fruitless", 0)
        self.improved_at = attributes.get("improved_at", 0.0)
        self.evaluated_at = attributes.get("evaluated_at", 0.0)


class ProgressCallback(TrainerCallback, ExportableState):
    """Passes metrics to the reporter, and logs them as console lines in the format of the training guide.

    What the reporter has measured is part of each checkpoint.
    """

    def __init__(self, reporter: RunReporter, early_stopping: EarlyStopping) -> None:
        self.reporter = reporter
        self.early_stopping = early_stopping
        self.metric = early_stopping.spec.metric
        self.shown = {*SHOWN, str(self.metric)}
        self.base: dict[str, float] = {}
        """The base model's metrics, by names that begin with base_eval_."""
        self.best = math.inf
        self.tokens_seen = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Add the base model's metrics to the history, which every checkpoint holds."""
        if self.base and not any(BASE_LOSS in entry for entry in state.log_history):
            state.log_history.insert(0, {**self.base, "step": 0, "epoch": 0.0})
        for entry in state.log_history:
            if "eval_loss" in entry:
                self._update_best(entry["eval_loss"])
        self._report_best(state)
        self.reporter.record_patience(self.early_stopping.evaluations_without_improvement)
        self.tokens_seen = state.num_input_tokens_seen  # this process reports only its own
        self.reporter.record_step(state.global_step, state.max_steps, state.epoch or 0.0)
        self.reporter.set_phase(Phase.Training)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Report the step."""
        self.reporter.record_metrics(tokens=state.num_input_tokens_seen - self.tokens_seen)
        self.reporter.record_step(state.global_step, state.max_steps, state.epoch or 0.0)
        self.tokens_seen = state.num_input_tokens_seen
        if control.should_evaluate:
            self.reporter.set_phase(Phase.Evaluating)

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Report an evaluation of the tuned model."""
        metrics: dict[str, float] = given["metrics"]
        if "eval_loss" in metrics:
            reported: dict[str, Any] = {name: metrics.get(name) for name in REPORTED}
            self.reporter.record_metrics(**reported)
            self._update_best(metrics["eval_loss"])
            self._report_best(state)
            self.reporter.record_patience(self.early_stopping.evaluations_without_improvement)
            self.reporter.set_phase(Phase.Training)

    def _update_best(self, loss: float) -> None:
        self.best = min(self.best, loss)
        self.reporter.record_metrics(best_eval_loss=self.best)

    def _report_best(self, state: TrainerState) -> None:
        if state.best_metric is not None and state.best_global_step is not None:
            self.reporter.record_best(state.best_global_step, str(self.metric), state.best_metric)

    def state(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"args": {}, "attributes": self.reporter.measured()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned."""
        self.reporter.resume(state.get("attributes", {}))

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Log the console line, and report the training loss."""
        logs: dict[str, float] = given["logs"]
        if "grad_norm" in logs:
            self.reporter.record_gradient_norm(logs["grad_norm"])
        self.reporter.record_metrics(train_loss=logs.get("loss"), learning_rate=logs.get("learning_rate"))
        if logs.keys() & {"loss", "eval_loss", BASE_LOSS}:
            shown = {name: value for name, value in logs.items() if name.removeprefix("base_") in self.shown}
            log.info("%s", console_line(shown), extra={"step": state.global_step})


def console_line(metrics: dict[str, float]) -> str:
    """The metrics as the training guide shows them: four significant digits, no exponent.

    >>> console_line({"loss": 2.34512, "learning_rate": 1.8e-05, "epoch": 1.0})
    "{'loss': 2.345, 'learning_rate': 0.000018, 'epoch': 1.0}"
    """
    texts = {name: format(Decimal(f"{value:.4g}"), "f") for name, value in metrics.items()}
    pairs = (
        f"'{name}': {text if '.' in text or not math.isfinite(metrics[name]) else text + '.0'}"
        for name, text in texts.items()
    )
    return "{" + ", ".join(pairs) + "}"


class UploadCallback(TrainerCallback):
    """Starts the upload of each checkpoint, and ends the training soon after one has failed."""

    def __init__(self, submit: Callable[[Path], None], raise_if_failed: Callable[[], None]) -> None:
        self.submit = submit
        self.raise_if_failed = raise_if_failed

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Start the upload of the checkpoint just written."""
        assert args.output_dir is not None
        self.submit(Path(args.output_dir) / f"checkpoint-{state.global_step}")

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Raise the error of an upload that has failed."""
        self.raise_if_failed()
