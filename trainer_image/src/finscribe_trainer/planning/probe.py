"""Trains for a minute on this machine, to measure how fast it is."""

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
from finscribe_trainer.training.fit import build_trainer
from finscribe_trainer.training.run import Run

SECONDS = 60.0
_MAX_STEPS = 10_000


class _Clock(TrainerCallback):
    """Ends the training after a minute; the first step, which warms up, does not count."""

    def __init__(self) -> None:
        self.begin = self.start = self.end = time.monotonic()
        self.tokens_before = self.tokens = 0

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Note the time and the tokens so far."""
        now = time.monotonic()
        if state.global_step == 1:
            self.start, self.tokens_before = now, int(state.num_input_tokens_seen)
        self.end, self.tokens = now, int(state.num_input_tokens_seen)
        control.should_training_stop = now - self.begin > SECONDS and state.global_step > 1


def probe(run: Run, source: ModelSource, family: Family, splits: Splits) -> Throughput:
    """Measure the tokens a second of the first epoch; later ones are at least as fast.

    Raises:
        FinscribeError: as the training would.
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
    rate = (clock.tokens - clock.tokens_before) / (clock.end - clock.start)
    return Throughput(rate, rate, f"{clock.end - clock.start:.0f} s on this machine, first epoch")
