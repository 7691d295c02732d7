"""Rank, world size and collective operations of a run's processes, one process for each GPU.

The launcher (`launch.py` or torchrun) sets RANK, WORLD_SIZE and the like in the environment. A run of one
process does not import torch here.
"""

import logging
import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

T = TypeVar("T")


class PeerFailedError(BaseException):
    """Another process of the run has ended and reports the cause.

    A BaseException, so that no library's `except Exception` catches it.
    """


class Processes:
    """The only process of a run. `ProcessGroup` has the same interface for one of several processes.

    Attributes:
        rank: number of this process, from 0.
        world_size: number of processes, on all machines.
    """

    rank = 0
    world_size = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the process that reports, writes and uploads."""
        return self.rank == 0

    def any(self, flag: bool) -> bool:
        """Whether the flag is true in any process."""
        return flag

    def sum(self, *values: float) -> list[float]:
        """Each value summed over all processes."""
        return list(values)

    def broadcast_from_main(self, produce: Callable[[], T]) -> T:
        """Call `produce` in the first process and return its result in all; they wait without a timeout.

        The result is passed on as JSON.
        """
        return produce()

    def once_per_node(self, produce: Callable[[], T], kind: type[T]) -> T:
        """Call `produce` in the first process of each machine and return its result in all on it.

        The result, of the type `kind`, is passed on as JSON: see `json_objects`.
        """
        return produce()

    def run_on_all(self, do: Callable[[], T]) -> T:
        """Call `do` in every process; if it fails in any, all raise: see `raise_on_all`."""
        return do()

    def raise_on_all(self, error: Exception | None) -> None:
        """If any process has an error, the one of lowest rank raises it, the others a PeerFailedError."""
        if error is not None:
            raise error

    def barrier(self) -> None:
        """Wait until every process has called this."""

    def peer_failure_context(self) -> AbstractContextManager[None]:
        """Turn errors caused by the exit of another process into PeerFailedError; others pass unchanged."""
        return nullcontext()

    def broadcast(self, tensors: Iterable["torch.Tensor"]) -> None:
        """Copy the first process's values into the tensors of all others, in place."""

    def sum_gradients(self, parameters: Iterable["torch.Tensor"]) -> None:
        """Sum the parameters' gradients over all processes, in place."""

    def shutdown(self) -> None:
        """Wait for all processes, then leave the process group."""


def is_main_process() -> bool:
    """Whether this is the run's first process, by the environment variable RANK."""
    return os.environ.get("RANK", "0") == "0"


def is_first_on_machine() -> bool:
    """Whether this is the first process of its machine, by the environment variable LOCAL_RANK."""
    return os.environ.get("LOCAL_RANK", "0") == "0"
