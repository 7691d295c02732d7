"""Plans a training and runs it, with every allocation of PyTorch recorded."""

import json
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from transformers.trainer_utils import IntervalStrategy, SaveStrategy

from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.model.loading import load_adapted_model
from finscribe_trainer.model.source import ModelSource
from finscribe_trainer.pipeline.inputs import load_splits
from finscribe_trainer.pipeline.rows_of_model import load_family_and_rows
from finscribe_trainer.planning.memory import Memory
from finscribe_trainer.planning.plan import make_plan
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.storage import Storage
from finscribe_trainer.training.fit import build_trainer
from finscribe_trainer.training.run import Run


@dataclass(frozen=True)
class Result:
    """The memory of a training, planned and measured."""

    planned: Memory
    measured: int
    """Bytes: weights and adapter, and the peak of what PyTorch allocated during the training."""

    @property
    def error(self) -> float:
        """Of the plan, as a share of what was measured."""
        return self.planned.total / self.measured - 1


def measure(settings: dict[str, Any]) -> Result:
    """Plan and train on one thread; evaluations are left out."""
    torch.set_num_threads(1)
    config = TrainerConfig.model_validate(settings)
    storage = Storage.from_config(config.storage)
    splits = load_splits(config, Path(config.output_dir) / "inputs", storage)
    source = ModelSource(config.model_name_or_path)
    run = Run(config, "", None, RunReporter(run="", job=""), StopSignal())
    planned = make_plan(run, source, splits, on_cpu=True, speed=None).memory
    family, splits = load_family_and_rows(config, source, splits)
    model = load_adapted_model(config, source, family)
    loaded = sum(each.nbytes for each in model.parameters())
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        trainer = build_trainer(run, model, family, splits, [])
        trainer.args.eval_strategy, trainer.args.save_strategy = IntervalStrategy.NO, SaveStrategy.NO
        trainer.train()
    return Result(planned, loaded + _peak(recorded))


def _peak(recorded: profile) -> int:
    """The largest sum of allocations and releases, in the order of their times."""
    inner: Any = recorded.profiler
    events = [event for event in inner.kineto_results.events() if event.name() == "[memory]"]
    events.sort(key=lambda event: event.start_ns())
    return max(accumulate(int(event.nbytes()) for event in events))


def write_rows(source: Path, target: Path, numbers: range) -> None:
    """Write some rows of a file, whose images keep their paths."""
    lines = source.read_text(encoding="utf-8").splitlines()
    rows = [json.loads(lines[number]) for number in numbers]
    target.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
