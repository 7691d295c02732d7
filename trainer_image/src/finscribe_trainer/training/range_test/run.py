"""Trains with a rising learning rate, and records the loss of each step."""

import logging
import math
import tempfile
from dataclasses import dataclass, replace
from typing import Any

from peft import PeftModel
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import IntervalStrategy, SaveStrategy

from finscribe_core.trainer_config import CurriculumSpec, EarlyStoppingSpec, TrainerConfig
from finscribe_trainer.data.splits import Splits
from finscribe_trainer.distributed.processes import Processes
from finscribe_trainer.model.families.base import Family
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.training.fit import build_trainer
from finscribe_trainer.training.progress_bar import ProgressBar
from finscribe_trainer.training.range_test.curve import Curve, Divergence, analyse
from finscribe_trainer.training.run import Run
from finscribe_trainer.training.trainer import AnswerTrainer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExponentialSchedule:
    """Schedule of the learning rate."""

    start: float
    end: float
    num_steps: int

    def at(self, step: int) -> float:
        """The learning rate of a step, from 0: exponential from `start` to `end`."""
        share = step / (self.num_steps - 1)
        return float(self.start ** (1 - share) * self.end**share)


def range_test(
    run: Run, model: PeftModel, family: Family, splits: Splits, schedule: ExponentialSchedule
) -> Curve:
    """Train the adapter as the run's config says while the learning rate rises.

    Every process of the run has to call this, and gets the same curve. It ends early when the loss has
    diverged, or when a stop is requested in any process. Nothing is reported but the run's activity. The
    adapter is that of the last step afterwards, in training mode.
    """
    with tempfile.TemporaryDirectory(prefix="finscribe-range-test-") as folder:
        config = _test_config(run.config, schedule, folder)
        test = replace(run, config=config, name="", resume=None, reporter=RunReporter(run="", job=""))
        recorder = RangeTestCallback(schedule, run.stop, run.processes)
        trainer = run.processes.run_on_all(lambda: build_trainer(test, model, family, splits, [recorder]))
        trainer.args.eval_strategy, trainer.args.save_strategy = IntervalStrategy.NO, SaveStrategy.NO
        trainer.set_activity = run.reporter.set_activity
        trainer.fail = recorder.end_if_failed
        run.processes.broadcast(weight for weight in model.parameters() if weight.requires_grad)
        with run.stop.deferred(), run.processes.peer_failure_context():
            _run_steps(trainer, show_bar=run.show_bar)
    return analyse(recorder.learning_rates, recorder.losses, schedule.num_steps, diverged=recorder.diverged)


def _test_config(config: TrainerConfig, schedule: ExponentialSchedule, folder: str) -> TrainerConfig:
    """The config of the test: its length and folder, without inference on documents and without curves.

    Rows of any difficulty come from the first step on, since the rate found has to suit all of them.
    """
    training = {
        "learning_rate": schedule.start,
        "max_steps": schedule.num_steps,
        "logging_steps": 1,
        "report_to": [],
    }
    return config.model_copy(
        update={
            "training": config.training.model_copy(update=training),
            "evaluation": config.evaluation.model_copy(update={"training_documents": 0}),
            "early_stopping": EarlyStoppingSpec(),
            "curriculum": CurriculumSpec(),
            "output_dir": folder,
            "feature_cache_dir": config.feature_cache_dir or f"{config.output_dir}/features",
        }
    )


def _run_steps(trainer: AnswerTrainer, *, show_bar: bool) -> None:
    bar = ProgressBar("Range test") if show_bar else None
    if bar:
        trainer.add_callback(bar)
    try:
        trainer.train()
    finally:
        trainer.set_activity(None)
        trainer.shut_down_workers()
        if bar:
            bar.close()


class RangeTestCallback(TrainerCallback):
    """Sets the learning rate before each step, records the loss, and ends the test once it has diverged."""

    def __init__(self, schedule: ExponentialSchedule, stop: StopSignal, processes: Processes) -> None:
        self.schedule = schedule
        self.stop = stop
        self.processes = processes
        self.learning_rates: list[float] = []
        self.losses: list[float] = []
        self.current = schedule.start
        self.diverged = False
        self._divergence = Divergence()

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Set the step's learning rate, in place of the training's schedule."""
        self.current = self.schedule.at(state.global_step)
        for group in given["optimizer"].param_groups:
            group["lr"] = self.current

    def end_if_failed(self, error: Exception | None) -> None:
        """End the test after a step whose loss or gradient is NaN or infinite in any process."""
        if self.processes.any(error is not None):
            self.diverged = True

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> TrainerControl:
        """Record the loss of the last step, which is the same in all processes."""
        logs: dict[str, float] = given["logs"]
        if "loss" not in logs:
            return control
        if math.isfinite(logs["loss"]) and not self.diverged:
            self.learning_rates.append(self.current)
            self.losses.append(logs["loss"])
            self.diverged = self._divergence.observe(logs["loss"])
        else:
            self.diverged = True
            log.info("the loss or its gradient is NaN or infinite at a learning rate of %.3g", self.current)
        if self.processes.any(self.diverged or self.stop.requested.is_set()):
            control.should_training_stop = True
        return control
