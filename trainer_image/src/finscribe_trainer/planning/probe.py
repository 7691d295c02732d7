"""Trains for at most a minute on this machine, to measure how fast it is."""

import tempfile
import time
from dataclasses import replace

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import IntervalStrategy, SaveStrategy

from finscribe_core.trainer_config import CurriculumSpec, EarlyStoppingSpec
from finscribe_trainer.data.splits import Splits
from finscribe_trainer.model.families.base import Family
from finscribe_trainer.model.loading import load_adapted_model
from finscribe_trainer.model.source import ModelSource
from finscribe_trainer.planning.throughput import Throughput
from finscribe_trainer.runtime.stop_signal import StopRequested
from finscribe_trainer.training.fit import build_trainer
from finscribe_trainer.training.run import Run

SECONDS = 60.0
_MAX_STEPS = 10_000


class _Clock(TrainerCallback):
    """Ends the training a minute after its first step, which warms up and does not count.

    It ends with the first epoch, too: later ones find pages in the feature cache.
    """

    def __init__(self) -> None:
        self.start = self.end = 0.0
        self.tokens_before = self.tokens = 0
        self.steps = 0
        """Those that count."""

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Note the time and the tokens so far."""
        self.end, self.tokens = time.monotonic(), int(state.num_input_tokens_seen)
        if state.global_step == 1:
            self.start, self.tokens_before = self.end, self.tokens
        self.steps = state.global_step - 1
        over = self.end - self.start > SECONDS or (state.epoch or 0) >= 1
        control.should_training_stop = control.should_training_stop or (over and self.steps > 0)

    def throughput(self) -> Throughput:
        """What was measured."""
        seconds = self.end - self.start
        rate = (self.tokens - self.tokens_before) / seconds
        steps = f"{self.steps} step{'s' if self.steps > 1 else ''}"
        return Throughput(rate, rate, f"by {steps} in {seconds:.1f} s on this machine")


def probe(run: Run, source: ModelSource, family: Family, splits: Splits) -> Throughput:
    """Measure the tokens a second of the first epoch; later ones are at least as fast.

    Raises:
        FinscribeError: as the training would.
        StopRequested: a stop was requested.
    """
    model = load_adapted_model(run.config, source, family)
    clock = _Clock()
    with tempfile.TemporaryDirectory(prefix="finscribe-plan-") as folder:
        spec = run.config.training
        rate = spec.learning_rate if isinstance(spec.learning_rate, float) else 2e-4
        training = spec.model_copy(
            update={"learning_rate": rate, "max_steps": _MAX_STEPS, "report_to": [], "eval_steps": None}
        )
        config = run.config.model_copy(
            update={
                "training": training,
                "evaluation": run.config.evaluation.model_copy(update={"training_documents": 0}),
                "early_stopping": EarlyStoppingSpec(),
                "curriculum": CurriculumSpec(),
                "output_dir": folder,
                "feature_cache_dir": f"{folder}/features",
            }
        )
        trainer = build_trainer(replace(run, config=config), model, family, splits, [clock])
        trainer.args.eval_strategy, trainer.args.save_strategy = IntervalStrategy.NO, SaveStrategy.NO
        try:
            with run.stop.deferred():
                trainer.train()
        finally:
            trainer.shut_down_workers()
    if run.stop.requested.is_set():
        raise StopRequested
    return clock.throughput()
