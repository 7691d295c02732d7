"""Plans a training from its config and data: rows, tokens, steps, memory, time, cost."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

import torch

from finscribe_core.trainer_config import TrainingSpec
from finscribe_trainer.data.splits import Splits
from finscribe_trainer.model.families.base import Family
from finscribe_trainer.model.source import ModelSource
from finscribe_trainer.pipeline.rows_of_model import load_family_and_rows
from finscribe_trainer.planning.batches import Batch, Tokens, count, largest, of_rows
from finscribe_trainer.planning.cards import CONTEXT, GIB, LOST, fitting, needed
from finscribe_trainer.planning.memory import Memory, Target, estimate, work_of
from finscribe_trainer.planning.throughput import Throughput, measured
from finscribe_trainer.training.arguments import steps_per_epoch
from finscribe_trainer.training.fit import data_order, total_steps
from finscribe_trainer.training.run import Run

Probe = Callable[[Family, Splits], Throughput]


@dataclass(frozen=True)
class Plan:
    """What a training will do and need, on one device."""

    splits: Splits
    rows: list[Tokens]
    largest: Batch
    epoch_steps: int
    num_steps: int
    spec: TrainingSpec
    target: Target
    memory: Memory
    """Of one process."""
    speed: Throughput | None
    """Of one process; None if it is not known."""
    num_processes: int = 1
    """Each on a device of its own."""

    @property
    def tokens(self) -> int:
        """Of an epoch."""
        return sum(row.all for row in self.rows)

    @property
    def seconds(self) -> tuple[float, float] | None:
        """Of the first epoch and of each later one."""
        if self.speed is None:
            return None
        each = self.tokens / self.num_processes
        return each / self.speed.first, each / self.speed.later

    @property
    def hours(self) -> float | None:
        """Of all steps; early stopping may end the training before. None if the speed is not known."""
        if self.seconds is None:
            return None
        epochs = self.num_steps / self.epoch_steps
        first, later = self.seconds
        return (min(epochs, 1) * first + max(epochs - 1, 0) * later) / 3600


def make_plan(
    run: Run, source: ModelSource, splits: Splits, *, on_cpu: bool, speed: Throughput | Probe | None
) -> Plan:
    """Plan the training of a run.

    Args:
        run: gives the config, and the number of processes.
        source: the base model, of which only the small files are read.
        splits: the rows.
        on_cpu: whether it is planned for a CPU instead of a GPU.
        speed: the throughput, or what measures it; None for the measured one of such a model, if any.

    Raises:
        UserError: as the training would.
    """
    family, splits = load_family_and_rows(run.config, source, splits)
    spec = run.config.training
    batch_size = spec.per_device_train_batch_size
    rows = count(splits.train, family)
    evaluated = count([*splits.validation, *(splits.test or [])], family)
    num_processes = run.processes.world_size
    epoch_steps, num_steps = steps_per_epoch(spec, len(rows), num_processes), total_steps(run, splits)
    train = largest(data_order(run, splits, batch_size), rows, batch_size, num_steps / epoch_steps)
    losses = of_rows(evaluated[: len(splits.validation)], spec.per_device_eval_batch_size or batch_size)
    target = Target(on_cpu, _dtype(spec, on_cpu=on_cpu))
    memory = estimate(run.config, family, work_of(train, rows, run.config, evaluated, losses), target)
    if callable(speed):
        speed = speed(family, splits)
    speed = speed or measured(memory.parameters, on_cpu=on_cpu)
    return Plan(splits, rows, train[0], epoch_steps, num_steps, spec, target, memory, speed, num_processes)


def _dtype(spec: TrainingSpec, *, on_cpu: bool) -> torch.dtype:
    """As `choose_dtype`, on the hardware that is planned for."""
    if spec.fp16:
        return torch.float32 if on_cpu else torch.float16
    return torch.bfloat16 if spec.bf16 or (spec.bf16 is None and not on_cpu) else torch.float32


def describe(plan: Plan, price: float | None) -> str:
    """The plan as lines of text; the price is that of an hour."""
    return "\n".join([*_data_lines(plan), *_memory_lines(plan), *_time_lines(plan, price)])


def summarize(plan: Plan) -> str:
    """The plan in a few words: steps, rows, memory, time."""
    device = "the CPU" if plan.target.on_cpu else "a GPU" if plan.num_processes == 1 else "each GPU"
    time = "" if plan.hours is None else f", about {_duration(plan.hours * 3600)}"
    return (
        f"{plan.num_steps:,} steps on {len(plan.rows):,} rows, "
        f"{plan.memory.total / GIB:.2f} GiB at the peak on {device}{time}"
    )


def _data_lines(plan: Plan) -> list[str]:
    splits, rows, spec = plan.splits, plan.rows, plan.spec
    step_rows = spec.rows_per_step(plan.num_processes)
    test = f", {len(splits.test)} test" if splits.test is not None else ""
    mean = statistics.mean
    return [
        f"rows      {len(rows)} training, {len(splits.validation)} validation{test}; "
        f"{splits.num_excluded} are too long and left out",
        f"tokens    {plan.tokens:,} an epoch; a row has {mean(row.all for row in rows):,.0f}, "
        f"{mean(row.images for row in rows):,.0f} of them of images and "
        f"{mean(row.answer for row in rows):,.0f} of the answer; the largest batch has "
        f"{sum(plan.largest.lengths):,}",
        f"steps     {plan.num_steps:,}, {plan.epoch_steps:,} per epoch, of {step_rows} rows"
        f"{f', on {plan.num_processes} devices' if plan.num_processes > 1 else ''}",
    ]


def _memory_lines(plan: Plan) -> list[str]:
    memory, peak = plan.memory, plan.memory.peak
    device = f"{'a' if plan.num_processes == 1 else 'each'} {'CPU' if plan.target.on_cpu else 'GPU'}"
    parts = {
        "weights": memory.weights,
        "adapter": memory.adapter,
        "optimizer": memory.optimizer,
        "activations": peak.activations,
        "logits": peak.logits,
        "cache": peak.cache,
        "in all": memory.total,
    }
    precision = str(plan.target.dtype).removeprefix("torch.")
    lines = [f"memory    on {device} in {precision}; at the peak, {peak.name}:"]
    lines += [f"  {name:<12}{size / GIB:8.2f} GiB" for name, size in parts.items()]
    if plan.target.on_cpu:
        return [*lines, "  beside it, Python and its libraries take about 0.8 GiB"]
    cards = ", ".join(fitting(memory.total)) or "none of the known cards"
    need = (
        f"{needed(memory.total) / GIB:.1f} GiB with {LOST:.0%} for the allocator and "
        f"{CONTEXT / GIB:.1f} GiB for CUDA, which are assumptions"
    )
    return [*lines, f"fits on   {cards} ({need})"]


def _time_lines(plan: Plan, price: float | None) -> list[str]:
    if plan.speed is None or plan.seconds is None or plan.hours is None:
        return [
            "time      not known: this model was not measured on such a device. Pass --probe on one, or "
            "--tokens-per-second from the log of a training"
        ]
    first, later = plan.seconds
    lines = [
        f"time      {_duration(first)} for the first epoch, {_duration(later)} for each later one, "
        f"{_duration(plan.hours * 3600)} for all steps, without evaluations ({plan.speed.source})"
    ]
    if price is not None:
        cost = plan.hours * plan.num_processes * price
        lines.append(f"cost      {cost:,.2f} at {price:,.2f} an hour of a device, for all steps")
    return lines


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
