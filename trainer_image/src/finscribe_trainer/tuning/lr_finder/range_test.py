"""Learning rate range test: a training with a rising learning rate, whose adapter is discarded."""

import logging
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import IntervalStrategy, SaveStrategy

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import EarlyStoppingSpec, TrainerConfig
from finscribe_trainer.batches.augmentation.augment import token_count_scales
from finscribe_trainer.batches.selection import select_rows
from finscribe_trainer.data.image_count import check_any_image
from finscribe_trainer.model.adapter_fit import check_adapter_fits
from finscribe_trainer.model.families.registry import load_family
from finscribe_trainer.model.initial_adapter import fetch_initial_adapter
from finscribe_trainer.model.loading import load_adapted_model
from finscribe_trainer.pipeline.inputs import fetch_model, load_splits, open_storage
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.training.fit import build_trainer
from finscribe_trainer.training.progress_bar import ProgressBar
from finscribe_trainer.training.run import Run
from finscribe_trainer.training.trainer import AnswerTrainer
from finscribe_trainer.tuning.lr_finder.curve import Curve, Divergence, analyse

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


def run_range_test(config: TrainerConfig, schedule: ExponentialSchedule, stop: StopSignal) -> Curve:
    """Train as the config says while the learning rate rises; a stop ends the test early.

    Downloads from s3:// stay below `output_dir`/inputs, where a training finds them.

    Raises:
        FinscribeError: a user error or a transient error.
        StopRequested: a stop was requested before the first step.
    """
    storage = open_storage(config, stop.cancel_transfers)
    inputs = Path(config.output_dir) / "inputs"
    splits = load_splits(config, inputs, storage)
    source = fetch_model(config, inputs / "model", storage)
    adapter = fetch_initial_adapter(config, inputs / "adapter", storage)
    if adapter is not None:
        check_adapter_fits(adapter.folder, adapter.location, config, source)
    family = load_family(source)
    if family.reads_images and config.require_images:
        check_any_image(splits.train, source.name)
    splits = select_rows(
        splits, family, config.training.max_sequence_length, token_count_scales(config.augmentation)
    )
    with tempfile.TemporaryDirectory(prefix="finscribe-lr-finder-") as folder:
        run = Run(_test_config(config, schedule, folder), "", None, RunReporter(run="", job=""), stop)
        recorder = RangeTestCallback(schedule, stop)
        model = load_adapted_model(config, source, family, adapter.folder if adapter else None)
        trainer = build_trainer(run, model, family, splits, [recorder])
        trainer.args.eval_strategy, trainer.args.save_strategy = IntervalStrategy.NO, SaveStrategy.NO
        with stop.deferred():
            _run_steps(trainer, recorder)
    return analyse(recorder.learning_rates, recorder.losses, schedule.num_steps, diverged=recorder.diverged)


def _test_config(config: TrainerConfig, schedule: ExponentialSchedule, folder: str) -> TrainerConfig:
    """The config of the test: its length and folder, without inference on documents and without curves."""
    training = {"max_steps": schedule.num_steps, "logging_steps": 1, "report_to": []}
    return config.model_copy(
        update={
            "training": config.training.model_copy(update=training),
            "evaluation": config.evaluation.model_copy(update={"training_documents": 0}),
            "early_stopping": EarlyStoppingSpec(),
            "output_dir": folder,
            "feature_cache_dir": config.feature_cache_dir or str(Path(config.output_dir) / "features"),
        }
    )


def _run_steps(trainer: AnswerTrainer, recorder: "RangeTestCallback") -> None:
    bar = ProgressBar() if sys.stderr.isatty() else None
    if bar:
        trainer.add_callback(bar)
    try:
        trainer.train()
    except UserError as error:
        if error.reason is not FailureReason.NonFiniteLoss:
            raise
        log.info("the loss is NaN or infinite at a learning rate of %.3g", recorder.current)
        recorder.diverged = True
    finally:
        if bar:
            bar.close()


class RangeTestCallback(TrainerCallback):
    """Sets the learning rate before each step, records the loss, and ends the test once it has diverged."""

    def __init__(self, schedule: ExponentialSchedule, stop: StopSignal) -> None:
        self.schedule = schedule
        self.stop = stop
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

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> TrainerControl:
        """Record the loss of the last step."""
        logs: dict[str, float] = given["logs"]
        if "loss" in logs:
            self.learning_rates.append(self.current)
            self.losses.append(logs["loss"])
            self.diverged = self._divergence.observe(logs["loss"])
        if self.diverged or self.stop.requested.is_set():
            control.should_training_stop = True
        return control
