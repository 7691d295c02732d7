"""Samplers: the order of the training rows in each epoch, which depends only on the seed and the epoch.

So it is the same in every process, and after a resume.
"""

import logging
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch.utils.data import Sampler
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from finscribe_trainer.batches.dataset import RowKey
from finscribe_trainer.training.curriculum.pacing import Curriculum

log = logging.getLogger(__name__)

_MEGABATCH = 50
"""Batches whose rows are sorted by length together, at most."""


@dataclass(frozen=True)
class DataOrder:
    """The rows of each epoch, in their order."""

    num_rows: int
    seed: int
    curriculum: Curriculum | None = None
    """None: all rows are in use from the start."""
    lengths: Sequence[int] | None = None
    """Tokens of each row, to put rows of similar length into one batch."""
    rows_at_once: int = 1
    """Rows per batch of all processes together, which are of similar length."""

    def of(self, epoch: int) -> list[int]:
        """The rows of an epoch, always `num_rows`; without a curriculum each of them once."""
        rng = random.Random(f"{self.seed}/{epoch}")  # noqa: S311 - an order, not a secret
        if self.curriculum is None:
            order = draw(range(self.num_rows), [self.num_rows] * self.num_rows, rng)
        else:
            order = draw(self.curriculum.ranked, self._num_active(self.curriculum, epoch), rng)
        return order if self.lengths is None else group_by_length(order, self.lengths, self.rows_at_once, rng)

    def _num_active(self, curriculum: Curriculum, epoch: int) -> list[int]:
        places = range(self.num_rows)
        return [curriculum.num_active(epoch + place / self.num_rows) for place in places]

    def describe(self, epoch: int) -> str | None:
        """The curriculum's threshold in an epoch, for the log; None without a curriculum."""
        if self.curriculum is None:
            return None
        counts = self._num_active(self.curriculum, epoch)
        first, last = counts[0], counts[-1]
        shares = f"{first / self.num_rows:.0%} to {last / self.num_rows:.0%}"
        schedule = self.curriculum.spec.difficulty_schedule
        return f"{schedule}, threshold {shares}: {first} to {last} of {self.num_rows} rows are in use"

    def count_unused(self) -> int:
        """Number of rows that no epoch contains, as the training is too short for the curriculum's pacing."""
        if self.curriculum is None:
            return 0
        num_epochs, used = self.curriculum.num_epochs, set[int]()
        for epoch in range(math.ceil(num_epochs)):
            used.update(self.of(epoch)[: math.ceil((num_epochs - epoch) * self.num_rows)])
        return self.num_rows - len(used)


def draw(ranked: Sequence[int], num_active: Iterable[int], rng: random.Random) -> list[int]:
    """Draw rows without replacement, in rounds: a round contains each row in use once.

    A row that joins during a round is part of it. So the counts of two rows differ only by the rounds before
    one of them joined.

    Args:
        ranked: every row, in the order in which they join.
        num_active: for each draw, how many of `ranked` are in use; it never decreases.
        rng: shuffles a round.
    """
    order: list[int] = []
    waiting: list[int] = []
    joined = 0
    for count in num_active:
        waiting += ranked[joined:count]
        joined = count
        if not waiting:
            waiting = list(ranked[:joined])
        chosen = rng.randrange(len(waiting))
        waiting[chosen], waiting[-1] = waiting[-1], waiting[chosen]
        order.append(waiting.pop())
    return order


def group_by_length(
    order: Sequence[int], lengths: Sequence[int], batch_size: int, rng: random.Random
) -> list[int]:
    """The same rows, so that those of a batch are of similar length; the longest row comes first.

    Rows move only within a megabatch of at most 50 batches and a quarter of the epoch: it is sorted by
    length, cut into batches, and the batches are shuffled. As the longest row comes first, insufficient
    memory shows at the first step.
    """
    size = batch_size * max(1, min(len(order) // (batch_size * 4), _MEGABATCH))
    batches: list[list[int]] = []
    for start in range(0, len(order), size):
        longest_first = sorted(order[start : start + size], key=lambda row: lengths[row], reverse=True)
        cut = [longest_first[i : i + batch_size] for i in range(0, len(longest_first), batch_size)]
        rest = [cut.pop()] if len(cut[-1]) < batch_size else []  # stays last, so that all others are full
        rng.shuffle(cut)
        batches += cut + rest
    grouped = [row for batch in batches for row in batch]
    longest = max(range(len(grouped)), key=lambda place: lengths[grouped[place]])
    grouped[0], grouped[longest] = grouped[longest], grouped[0]
    return grouped


class EpochSampler(Sampler[RowKey]):
    """Yields the rows of the epoch that `set_epoch` has set."""

    def __init__(self, order: DataOrder) -> None:
        self.order = order
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next pass."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.order.num_rows

    def __iter__(self) -> Iterator[RowKey]:
        return (RowKey(row, self.epoch) for row in self.order.of(self.epoch))


class EvenlyPaddedSampler(Sampler[RowKey]):
    """The given rows, followed by padding rows whose labels are all ignored.

    accelerate assigns whole batches to the processes in turn. Without padding it would repeat rows, which
    would then count twice.

    Args:
        rows: iterated from the start in every pass.
        rows_at_once: rows per batch of all processes together; 1 adds no padding.
    """

    def __init__(self, rows: EpochSampler | list[RowKey], rows_at_once: int) -> None:
        self.rows = rows
        self.rows_at_once = rows_at_once

    def __len__(self) -> int:
        return math.ceil(len(self.rows) / self.rows_at_once) * self.rows_at_once

    def __iter__(self) -> Iterator[RowKey]:
        rows = list(self.rows)
        yield from rows
        for _ in range(len(self) - len(rows)):
            yield replace(rows[0], padding=True)


class EpochBegin(TrainerCallback):
    """Sets the sampler's epoch.

    accelerate does so, too, but not in a run of several processes that resumes within an epoch.
    """

    def __init__(self, sampler: EpochSampler) -> None:
        self.sampler = sampler

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Warn about rows that no epoch contains."""
        if (unused := self.sampler.order.count_unused()) and state.is_world_process_zero:
            log.warning(
                "curriculum: %d of %d rows are never used; raise training.num_train_epochs, or lower "
                "curriculum.pacing_share",
                unused,
                self.sampler.order.num_rows,
            )

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Set the epoch, and log the curriculum's threshold in it."""
        epoch = int(state.epoch or 0)
        self.sampler.set_epoch(epoch)
        if (description := self.sampler.order.describe(epoch)) and state.is_world_process_zero:
            log.info("curriculum, epoch %d: %s", epoch + 1, description)
