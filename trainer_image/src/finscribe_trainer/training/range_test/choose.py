"""Chooses the learning rate of a run with `learning_rate: auto` by a range test before its training."""

import logging
import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import torch
from peft import PeftModel, set_peft_model_state_dict

from finscribe_core.report import LearningRateChoice, Phase, format_metric
from finscribe_core.trainer_config import AUTO
from finscribe_trainer.data.splits import Splits
from finscribe_trainer.model.adapter import adapter_weights
from finscribe_trainer.model.families.base import Family
from finscribe_trainer.runtime.stop_signal import StopRequested
from finscribe_trainer.training.checkpoints import Checkpoint
from finscribe_trainer.training.range_test.run import ExponentialSchedule, range_test
from finscribe_trainer.training.resume import trained_learning_rate
from finscribe_trainer.training.run import Run

log = logging.getLogger(__name__)

SCHEDULE = ExponentialSchedule(1e-5, 1.0, 75)
"""Learning rates of the test: fifteen steps for each factor of ten."""
FALLBACK = 2e-4
"""The learning rate where the test finds none, from the middle of published recipes for this model."""
_SHOWN = 12
"""Points of the curve in the job's status, at most."""


def choose_learning_rate(
    run: Run, model: PeftModel, family: Family, splits: Splits, checkpoint: Checkpoint | None
) -> Run:
    """The run with a number as learning rate, and with the curve that it was chosen by.

    A run that resumes keeps the rate that its checkpoint was trained with. The test leaves adapter and random
    state as they were, so that the training that follows is the same as with that number in the config.

    Raises:
        StopRequested: a stop was requested during the test; the next attempt repeats it.
    """
    if run.config.training.learning_rate != AUTO:
        return run
    if checkpoint is not None:
        rate, curve = trained_learning_rate(checkpoint), checkpoint.range_test
        log.info("learning_rate auto: %g, as before", rate)
    else:
        curve = _test(run, model, family, splits)
        rate = curve["suggestion"] or FALLBACK
        if curve["suggestion"] is None:
            log.warning("learning_rate auto: %s The training uses %g.", curve["message"], rate)
        else:
            log.info("learning_rate auto: %g. %s", rate, curve["message"])
    run.reporter.set_learning_rate(describe_choice(rate, curve))
    training = run.config.training.model_copy(update={"learning_rate": rate})
    return replace(run, config=run.config.model_copy(update={"training": training}), range_test=curve)


def _test(run: Run, model: PeftModel, family: Family, splits: Splits) -> dict[str, Any]:
    """The curve of a range test, as JSON values, the same in all processes."""
    first, last, count = SCHEDULE.start, SCHEDULE.end, SCHEDULE.num_steps
    log.info("learning_rate auto: a test of at most %d steps at rates from %g to %g", count, first, last)
    run.reporter.set_phase(Phase.Calibrating)
    adapter = {name: weight.detach().clone() for name, weight in adapter_weights(model).items()}
    with torch.random.fork_rng():
        curve = range_test(run, model, family, splits, SCHEDULE)
    set_peft_model_state_dict(model, adapter)
    model.zero_grad()
    run.reporter.set_phase(Phase.Preparing)
    if run.processes.any(run.stop.requested.is_set()):
        raise StopRequested
    return run.processes.broadcast_from_main(lambda: asdict(curve))


def describe_choice(rate: float, curve: Mapping[str, Any] | None) -> LearningRateChoice:
    """The choice as the job's status shows it, with some points of the curve."""
    if curve is None:
        return LearningRateChoice(chosen=format_metric(rate))
    low, high = curve["range"] or (None, None)
    points = list(zip(curve["learning_rates"], curve["smoothed"], strict=True))
    shown = points[:: max(1, math.ceil(len(points) / _SHOWN))]
    return LearningRateChoice(
        chosen=format_metric(rate),
        lowest=None if low is None else format_metric(low),
        highest=None if high is None else format_metric(high),
        rates=[f"{rate:.2g}" for rate, _ in shown],
        losses=[f"{loss:.4g}" for _, loss in shown],
    )
