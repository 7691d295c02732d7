"""Out-of-memory backoff: splits a batch that does not fit into GPU memory; the effective batch stays."""

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
    """The given rows of a batch."""
    return {name: values[rows] for name, values in batch.items()}


class GpuMemoryError(UserError):
    """GPU memory does not suffice for the smallest part of a batch that may be tried."""


class BatchSizeBackoff:
    """Processes a batch whole until GPU memory runs out, then in parts of half as many rows.

    Args:
        what: the work, for messages: training, evaluation.
        setting: the setting for the number of rows in a batch.
        can_halve: False in a run of several processes, which must stay in step with each other.
    """

    def __init__(self, what: str, setting: str, *, can_halve: bool = True) -> None:
        self.what = what
        self.setting = setting
        self.can_halve = can_halve
        self.max_rows: int | None = None
        """Rows at once; None until memory has run out."""

    def work(
        self, num_rows: int, on_rows: Callable[[slice], T], undo: Callable[[], None] = lambda: None
    ) -> list[T]:
        """Call `on_rows` for all rows of a batch, in as many parts as memory requires.

        Args:
            num_rows: of the batch.
            on_rows: processes some of the rows.
            undo: discards the results for the batch so far, before all of its rows are processed again.

        Raises:
            GpuMemoryError: the memory is insufficient for a single row.
        """
        while True:
            size = min(self.max_rows or num_rows, num_rows)
            try:
                return [on_rows(slice(first, first + size)) for first in range(0, num_rows, size)]
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                reason = str(error)
            # Not within `except`: there the traceback still holds the tensors of the attempt.
            undo()
            gc.collect()
            torch.cuda.empty_cache()
            self._halve(size, reason)

    def _halve(self, size: int, reason: str) -> None:
        if size == 1 or not self.can_halve:
            why = "for a single row" if size == 1 else f"for {size} rows (several processes can't halve them)"
            raise GpuMemoryError(
                FailureReason.InvalidConfig,
                f"The GPU's memory does not suffice {why} in {self.what}: {reason}",
                ("" if size == 1 else f"Lower {self.setting} (raise gradientAccumulationSteps instead), ")
                + "keep training.gradientCheckpointing true, use method QLoRA, or lower "
                "training.maxSequenceLength.",
            )
        self.max_rows = (size + 1) // 2
        log.warning(
            "out of GPU memory with %d rows at once in %s: taking %d at once from here on, which changes "
            "nothing but the time; lower %s to %d",
            *(size, self.what, self.max_rows, self.setting, self.max_rows),
        )
