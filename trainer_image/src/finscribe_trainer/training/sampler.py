"""How rows are dealt out to the processes of a run: as many batches to each, and no row counted twice."""

import math
from collections.abc import Iterator
from dataclasses import replace

from torch.utils.data import Sampler

from finscribe_trainer.batches.dataset import RowKey
from finscribe_trainer.training.order import EpochSampler


class EvenlyPaddedSampler(Sampler[RowKey]):
    """The rows asked for, and fillers behind them: rows that are computed, but of which nothing counts.

    accelerate deals out whole batches in turn. Without fillers it would repeat rows, which then count twice.

    Args:
        rows: what to ask for, anew in every pass.
        rows_at_once: rows that all processes together take at once; 1 leaves the rows as they are.
    """

    def __init__(self, rows: EpochSampler | list[RowKey], rows_at_once: int) -> None:
        self.rows = rows
        self.rows_at_once = rows_at_once

    def __len__(self) -> int:
        return math.ceil(len(self.rows) / self.rows_at_once) * self.rows_at_once

    def __iter__(self) -> Iterator[RowKey]:
        asked = list(self.rows)
        yield from asked
        for _ in range(len(self) - len(asked)):
            yield replace(asked[0], filler=True)
