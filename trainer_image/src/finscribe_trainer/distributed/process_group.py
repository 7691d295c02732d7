"""Several processes of a run, by torch.distributed: NCCL between GPUs, gloo between CPUs.

What they tell each other about the run itself goes by gloo and waits without end: while the first process
reads documents or uploads, the others have nothing to do. A process that is gone is noticed at once.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import distributed

from finscribe_trainer.distributed.processes import PeerFailedError, Processes
from finscribe_trainer.runtime.stop_signal import StopRequested

T = TypeVar("T")

_WITHOUT_END = timedelta(days=365)


class ProcessGroup(Processes):
    """This process among the others.

    Args:
        step_timeout_seconds: how long a process waits for the others' part of a step.
    """

    def __init__(self, step_timeout_seconds: int) -> None:
        on_gpu = torch.cuda.is_available()
        if on_gpu:
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        with _peer_failure():
            distributed.init_process_group(
                "cpu:gloo,cuda:nccl" if on_gpu else "gloo", timeout=timedelta(seconds=step_timeout_seconds)
            )
            self._all: Any = distributed.new_group(backend="gloo", timeout=_WITHOUT_END)
            self.rank = distributed.get_rank()
            self.world_size = distributed.get_world_size()
            self._node_mates = self._find_node_mates()

    def _find_node_mates(self) -> Any:
        """The processes of this machine; torchrun numbers those of a machine in a row."""
        size = int(os.environ.get("LOCAL_WORLD_SIZE", self.world_size))
        first = self.rank - int(os.environ.get("LOCAL_RANK", self.rank))
        found: list[Any] = [None] * self.world_size
        distributed.all_gather_object(found, (first, size), group=self._all)
        groups = {
            start: distributed.new_group(range(start, start + count), backend="gloo", timeout=_WITHOUT_END)
            for start, count in dict.fromkeys(found)
        }
        return groups[first]

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process."""
        return self.sum(float(flag))[0] > 0

    def sum(self, *values: float) -> list[float]:
        """Each value, added up over the processes, in double precision."""
        totals = torch.tensor(values, dtype=torch.float64)
        with _peer_failure():
            distributed.all_reduce(totals, group=self._all)
        return [float(total) for total in totals]

    def broadcast_from_main(self, produce: Callable[[], T]) -> T:
        """What the first process makes; the others wait for it, however long that takes."""
        return self._from_first(self._all, produce)

    def once_per_node(self, produce: Callable[[], T]) -> T:
        """What the first process of each machine makes: files that all on it share."""
        return self._from_first(self._node_mates, produce)

    def _from_first(self, group: Any, produce: Callable[[], T]) -> T:
        made: list[Any] = [None, None]  # whether it was made, and what
        error: BaseException | None = None
        if distributed.get_rank(group) == 0:
            try:
                made = [True, produce()]
            except (Exception, StopRequested) as raised:
                made, error = [False, None], raised
        with _peer_failure():
            distributed.broadcast_object_list(made, group=group, group_src=0)
        if error is not None:
            raise error
        if not made[0]:
            raise PeerFailedError
        result: T = made[1]
        return result

    def run_on_all(self, do: Callable[[], T]) -> T:
        """Do the same in every process; if it fails in any, see `raise_on_all`."""
        try:
            result = do()
        except Exception as error:
            self.raise_on_all(error)
            raise
        self.raise_on_all(None)
        return result

    def raise_on_all(self, error: Exception | None) -> None:
        """Where any process has an error, the first of those raises it, and the others end with it."""
        first = torch.tensor(self.rank if error is not None else self.world_size)
        with _peer_failure():
            distributed.all_reduce(first, distributed.ReduceOp.MIN, group=self._all)
        if error is not None and first == self.rank:
            raise error
        if first < self.world_size:
            raise PeerFailedError

    def barrier(self) -> None:
        """Wait until every process is here, however long that takes."""
        self.sum(0.0)

    @contextmanager
    def peer_failure_context(self) -> Iterator[None]:
        """As `_peer_failure`, around code that has errors of its own, too."""
        try:
            yield
        except RuntimeError as error:
            if isinstance(error, distributed.DistError) or "gloo" in str(error):
                raise PeerFailedError(f"another process of the run is gone: {error}") from error
            raise

    def broadcast(self, tensors: Iterable[torch.Tensor]) -> None:
        """Give every process the first one's values."""
        with _peer_failure(), torch.no_grad():
            for tensor in tensors:
                distributed.broadcast(tensor.data, src=0)

    def sum_gradients(self, parameters: Iterable[torch.Tensor]) -> None:
        """Add up the parameters' gradients over the processes, in place: in one piece for each data type.

        A parameter that a process had no use for (no page in its rows) counts as 0 there. An adapter's
        gradients are a few megabytes, so there is nothing to gain from sending them while others are still
        computed, as DistributedDataParallel does.
        """
        by_type: dict[torch.dtype, list[torch.Tensor]] = {}
        for parameter in parameters:
            if parameter.requires_grad:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                by_type.setdefault(parameter.dtype, []).append(parameter.grad)
        for gradients in by_type.values():
            flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
            with _peer_failure():
                distributed.all_reduce(flat)
            pieces = flat.split([gradient.numel() for gradient in gradients])
            for gradient, piece in zip(gradients, pieces, strict=True):
                gradient.copy_(piece.view_as(gradient))

    def shutdown(self) -> None:
        """Wait for the others a last time; from here on each process goes its own way."""
        self.barrier()
        distributed.destroy_process_group()


@contextmanager
def _peer_failure() -> Iterator[None]:
    """What torch.distributed raises when another process is gone, as what it means."""
    try:
        yield
    except RuntimeError as error:
        raise PeerFailedError(f"another process of the run is gone: {error}") from error
