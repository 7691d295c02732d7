"""Splits batches into smaller parts when the GPU runs out of memory; the result is the same."""

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
    """The GPU's memory is insufficient even for the smallest possible batch."""


class BatchSizeBackoff:
    """Processes batches in parts whose size is halved each time the GPU runs out of memory.

    Args:
        what: what is done with the rows, for messages.
        setting: the setting for the batch size, for messages.
        can_halve: False where this process would no longer be in step with the other processes of the run.
    """

    def __init__(self, what: str, setting: str, *, can_halve: bool = True) -> None:
        self.what = what
        self.setting = setting
        self.can_halve = can_halve
        self.most: int | None = None
        """Maximum number of rows per part; None until memory has run out."""

    def work(
        self, num_rows: int, on_rows: Callable[[slice], T], undo: Callable[[], None] = lambda: None
    ) -> list[T]:
        """Call `on_rows` for all rows of a batch, in as many parts as needed.

        Args:
            num_rows: number of rows of the batch.
            on_rows: processes a slice of the rows.
            undo: reverts the effects of `on_rows` on this batch, before it is retried.

        Raises:
            GpuMemoryError: the memory is insufficient for a single row.
        """
        while True:
            size = min(self.most or num_rows, num_rows)
            try:
                return [on_rows(slice(first, first + size)) for first in range(0, num_rows, size)]
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                message = str(error)
            # Outside the `except` block: inside it, the error keeps the tensors of the failed attempt alive.
            undo()
            gc.collect()
            torch.cuda.empty_cache()
            self._halve(size, message)

    def _halve(self, size: int, message: str) -> None:
        if size == 1 or not self.can_halve:
            why = "for a single row" if size == 1 else f"for {size} rows (several processes can't halve them)"
            raise GpuMemoryError(
                FailureReason.InvalidConfig,
                f"The GPU's memory is insufficient {why} in {self.what}: {message}",
                ("" if size == 1 else f"Lower {self.setting} (raise gradient_accumulation_steps instead), ")
                + "keep training.gradient_checkpointing true, use method QLoRA, or lower "
                "training.max_sequence_length.",
            )
        self.most = (size + 1) // 2
        log.warning(
            "out of GPU memory with a batch of %d in %s: using micro-batches of %d from now on, which only "
            "takes longer; lower %s to %d",
            *(size, self.what, self.most, self.setting, self.most),
        )
