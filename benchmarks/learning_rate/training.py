"""Trains a model at one learning rate, without checkpoints, and measures its validation loss."""

import math
from dataclasses import dataclass
from pathlib import Path

from peft import PeftModel
from transformers.trainer_utils import IntervalStrategy, SaveStrategy

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.data.splits import Splits
from finscribe_trainer.model.families.registry import load_family
from finscribe_trainer.model.loading import load_adapted_model
from finscribe_trainer.model.source import ModelSource
from finscribe_trainer.pipeline.inputs import load_splits
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.storage import Storage
from finscribe_trainer.training.fit import build_trainer
from finscribe_trainer.training.run import Run


@dataclass(frozen=True)
class Trained:
    """A training's end."""

    model: PeftModel
    loss: float
    """Validation loss after the last step; infinite if the training diverged."""


def train(config: TrainerConfig, learning_rate: float) -> Trained:
    """Train a new adapter for the config's number of steps, with the settings of `finscribe train`."""
    training = config.training.model_copy(update={"learning_rate": learning_rate})
    config = config.model_copy(update={"training": training})
    source = ModelSource(config.model_name_or_path)
    family = load_family(source)
    splits: Splits = load_splits(config, Path(config.output_dir), Storage.from_config(config.storage))
    model = load_adapted_model(config, source, family)
    run = Run(config, "", None, RunReporter(run="", job=""), StopSignal())
    trainer = build_trainer(run, model, family, splits, [])
    trainer.args.eval_strategy, trainer.args.save_strategy = IntervalStrategy.NO, SaveStrategy.NO
    try:
        trainer.train()
        return Trained(model, trainer.evaluate()["eval_loss"])
    except UserError as error:
        if error.reason is not FailureReason.NonFiniteLoss:
            raise
        return Trained(model, math.inf)
