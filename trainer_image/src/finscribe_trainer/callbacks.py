"""What happens between the steps: when to evaluate, save and stop, and what is said about it."""

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from finscribe_core.report import Phase
from finscribe_core.trainer_config import EarlyStoppingSpec
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.stop import StopSignal

log = logging.getLogger(__name__)

BASE_LOSS = "base_eval_loss"


class Schedule(TrainerCallback):
    """Evaluates and saves after the last step, too; on a stop, saves after the step under way and ends."""

    def __init__(self, stop: StopSignal) -> None:
        self.stop = stop

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Decide what follows this step."""
        if self.stop.requested.is_set():
            log.info("asked to stop: saving a checkpoint after step %d", state.global_step)
            control.should_evaluate = False
            control.should_save = control.should_training_stop = True
        elif state.global_step >= state.max_steps:
            control.should_evaluate = control.should_save = True
        return control


class EarlyStopping(TrainerCallback, ExportableState):
    """Ends the training after `patience` evaluations in a row without improvement.

    An evaluation improves when its loss is more than `min_delta` below that of the last improvement, so that
    many small falls add up to one. The counters are part of each checkpoint.
    """

    def __init__(self, spec: EarlyStoppingSpec) -> None:
        self.spec = spec
        self.reference = math.inf
        self.fruitless = 0

    @property
    def triggered(self) -> bool:
        """Whether the training has to end."""
        return self.spec.enabled and self.fruitless >= self.spec.patience

    def observe(self, loss: float) -> None:
        """Count an evaluation."""
        if loss < self.reference - self.spec.min_delta:
            self.reference, self.fruitless = loss, 0
        else:
            self.fruitless += 1

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> TrainerControl:
        """Count an evaluation of the tuned model, and stop if it was one too many."""
        metrics: dict[str, float] = given["metrics"]
        if "eval_loss" in metrics:
            self.observe(metrics["eval_loss"])
            if self.triggered:
                log.info(
                    "early stopping at step %d: %d evaluations without a fall of more than %g below %.6g",
                    state.global_step,
                    self.fruitless,
                    self.spec.min_delta,
                    self.reference,
                )
                control.should_training_stop = control.should_save = True
        return control

    def state(self) -> dict[str, Any]:
        """For the checkpoint; the spec is the config's alone, so that a changed patience counts."""
        return {"args": {}, "attributes": {"reference": self.reference, "fruitless": self.fruitless}}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        attributes = state.get("attributes", {})
        self.reference = attributes.get("reference", self.reference)
        self.fruitless = attributes.get("fruitless", self.fruitless)


class Report(TrainerCallback):
    """Passes figures on: to the reporter, and as the console lines of the training guide."""

    def __init__(self, reporter: RunReporter) -> None:
        self.reporter = reporter
        self.base_loss: float | None = None
        self.best = math.inf
        self.tokens_seen = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Put the base model's loss into the history, which every checkpoint holds."""
        if self.base_loss is not None and not any(BASE_LOSS in entry for entry in state.log_history):
            state.log_history.insert(0, {BASE_LOSS: self.base_loss, "step": 0, "epoch": 0.0})
        if state.best_metric is not None:
            self._note_best(state.best_metric)
        self.tokens_seen = state.num_input_tokens_seen  # those of earlier attempts are not this process's
        self.reporter.step(state.global_step, state.max_steps, state.epoch or 0.0)
        self.reporter.phase(Phase.Training)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Report the step."""
        self.reporter.step(state.global_step, state.max_steps, state.epoch or 0.0)
        self.reporter.metric(tokens=state.num_input_tokens_seen - self.tokens_seen)
        self.tokens_seen = state.num_input_tokens_seen
        if control.should_evaluate:
            self.reporter.phase(Phase.Evaluating)

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Report a validation loss."""
        loss = given["metrics"].get("eval_loss")
        if loss is not None:
            self.reporter.metric(eval_loss=loss)
            self._note_best(loss)
            self.reporter.phase(Phase.Training)

    def _note_best(self, loss: float) -> None:
        self.best = min(self.best, loss)
        self.reporter.metric(best_eval_loss=self.best)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Write the guide's line, and report the training loss."""
        logs: dict[str, float] = given["logs"]
        self.reporter.metric(train_loss=logs.get("loss"), learning_rate=logs.get("learning_rate"))
        shown = {
            k: v for k, v in logs.items() if k in ("loss", "eval_loss", BASE_LOSS, "learning_rate", "epoch")
        }
        if shown.keys() & {"loss", "eval_loss", BASE_LOSS}:
            rounded = {name: float(f"{value:.4g}") for name, value in shown.items()}
            log.info("%s", rounded, extra={"step": state.global_step})


class AfterSave(TrainerCallback):
    """Hands each checkpoint on, and lets a failed upload end the training soon."""

    def __init__(self, submit: Callable[[Path], None], raise_if_failed: Callable[[], None]) -> None:
        self.submit = submit
        self.raise_if_failed = raise_if_failed

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Hand on the checkpoint just written."""
        assert args.output_dir is not None
        self.submit(Path(args.output_dir) / f"checkpoint-{state.global_step}")

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Look whether the upload under way has failed."""
        self.raise_if_failed()
