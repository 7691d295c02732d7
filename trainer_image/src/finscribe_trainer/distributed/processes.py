"""The processes of a run, one for each GPU: which one this is, and what they tell each other.

Whoever starts them (`launch.py`, torchrun) says in the environment who is who. A run of one process imports
no torch here.
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
    """Another process of the run has ended, and says why. No Exception, so that no library swallows it."""


class Processes:
    """A run's only process. `ProcessGroup` is one of several, and does the same things together with them.

    Attributes:
        rank: number of this process, from 0.
        world_size: how many there are, on all machines.
    """

    rank = 0
    world_size = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the process that reports, writes and uploads."""
        return self.rank == 0

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process."""
        return flag

    def sum(self, *values: float) -> list[float]:
        """Each value, added up over the processes."""
        return list(values)

    def broadcast_from_main(self, produce: Callable[[], T]) -> T:
        """What the first process makes; the others wait for it, however long that takes."""
        return produce()

    def once_per_node(self, produce: Callable[[], T]) -> T:
        """What the first process of each machine makes: files that all on it share."""
        return produce()

    def run_on_all(self, do: Callable[[], T]) -> T:
        """Do the same in every process; if it fails in any, see `raise_on_all`."""
        return do()

    def raise_on_all(self, error: Exception | None) -> None:
        """Where any process has an error, the first of those raises it, and the others end with it."""
        if error is not None:
            raise error

    def barrier(self) -> None:
        """Wait until every process is here."""

    def peer_failure_context(self) -> AbstractContextManager[None]:
        """Within, what comes of another process's end is told from an error of this one."""
        return nullcontext()

    def broadcast(self, tensors: Iterable["torch.Tensor"]) -> None:
        """Give every process the first one's values."""

    def sum_gradients(self, parameters: Iterable["torch.Tensor"]) -> None:
        """Add up the parameters' gradients over the processes, in place."""

    def shutdown(self) -> None:
        """From here on each process goes its own way."""


def is_main_process() -> bool:
    """Whether this is the run's first process, as its starter says."""
    return os.environ.get("RANK", "0") == "0"
