"""When a GPU's memory runs out: a batch is taken in parts, so that it counts the same."""

import gc
import logging
from collections.abc import Callable
from typing import TypeVar

import torch

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.model.batch import Encoded
from finscribe_trainer.runtime.out_of_memory import is_out_of_memory

log = logging.getLogger(__name__)

T = TypeVar("T")


def slice_rows(batch: Encoded, rows: slice) -> Encoded:
    """Some rows of a batch, as a batch."""
    return {name: values[rows] for name, values in batch.items()}


class GpuMemoryError(UserError):
    """The GPU's memory does not suffice for the smallest batch that may be tried."""


class BatchSizeBackoff:
    """How many rows of a batch are taken at once: all of them, until memory runs out.

    Args:
        what: what is done with the rows, for messages.
        setting: the setting that says how many there are.
        can_halve: False where halving alone would part this process from the run's others.
    """

    def __init__(self, what: str, setting: str, *, can_halve: bool = True) -> None:
        self.what = what
        self.setting = setting
        self.can_halve = can_halve
        self.most: int | None = None
        """None until memory has run out."""

    def work(
        self, num_rows: int, on_rows: Callable[[slice], T], undo: Callable[[], None] = lambda: None
    ) -> list[T]:
        """Do something with every row of a batch, in as many parts as are needed now.

        Args:
            num_rows: of the batch.
            on_rows: does it with some rows.
            undo: takes back what was done with any row of this batch, before all are done again.

        Raises:
            GpuMemoryError: memory does not suffice for a single row.
        """
        while True:
            size = min(self.most or num_rows, num_rows)
            try:
                return [on_rows(slice(first, first + size)) for first in range(0, num_rows, size)]
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                said = str(error)
            # Only here is it free: until its `except` is left, the error holds what the attempt had made.
            undo()
            gc.collect()
            torch.cuda.empty_cache()
            self._halve(size, said)

    def _halve(self, size: int, said: str) -> None:
        if size == 1 or not self.can_halve:
            why = "for a single row" if size == 1 else f"for {size} rows (several processes can't halve them)"
            raise GpuMemoryError(
                FailureReason.InvalidConfig,
                f"The GPU's memory does not suffice {why} in {self.what}: {said}",
                ("" if size == 1 else f"Lower {self.setting} (raise gradientAccumulationSteps instead), ")
                + "keep training.gradientCheckpointing true, use method QLoRA, or lower "
                "training.maxSequenceLength.",
            )
        self.most = (size + 1) // 2
        log.warning(
            "out of GPU memory with %d rows at once in %s: taking %d at once from here on, which changes "
            "nothing but the time; lower %s to %d",
            *(size, self.what, self.most, self.setting, self.most),
        )
