"""Collective operations between a run's processes with torch.distributed: NCCL on GPUs, gloo on CPUs.

Objects are passed as JSON, not with torch's functions for objects, which unpickle what another process sends.
Operations that coordinate the run use gloo without a timeout: while the first process evaluates documents or
uploads, the others wait. A process that has exited is detected immediately, by its closed connection.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import distributed

from finscribe_trainer.distributed import json_objects
from finscribe_trainer.distributed.processes import PeerFailedError, Processes
from finscribe_trainer.distributed.store import open_store
from finscribe_trainer.runtime.stop_signal import StopRequested

T = TypeVar("T")

_NO_TIMEOUT = timedelta(days=365)


class ProcessGroup(Processes):
    """This process as a member of the run's process group.

    Args:
        step_timeout_seconds: timeout of the collective operations within a step.

    Raises:
        PeerFailedError: another process has exited; raised by every operation.
    """

    def __init__(self, step_timeout_seconds: int) -> None:
        on_gpu = torch.cuda.is_available()
        if on_gpu:
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        with _peer_failure():
            timeout = timedelta(seconds=step_timeout_seconds)
            distributed.init_process_group(
                "cpu:gloo,cuda:nccl" if on_gpu else "gloo",
                store=open_store(timeout),
                rank=int(os.environ["RANK"]),
                world_size=int(os.environ["WORLD_SIZE"]),
                timeout=timeout,
            )
            self._all: Any = distributed.new_group(backend="gloo", timeout=_NO_TIMEOUT)
            self.rank = distributed.get_rank()
            self.world_size = distributed.get_world_size()
            self._node = self._create_node_group()

    def _create_node_group(self) -> Any:
        """The process group of this machine; the ranks of one machine are consecutive, as by torchrun."""
        size = int(os.environ.get("LOCAL_WORLD_SIZE", self.world_size))
        first = self.rank - int(os.environ.get("LOCAL_RANK", self.rank))
        found = [torch.zeros(2, dtype=torch.int64) for _ in range(self.world_size)]
        distributed.all_gather(found, torch.tensor([first, size]), group=self._all)
        groups = {
            start: distributed.new_group(range(start, start + count), backend="gloo", timeout=_NO_TIMEOUT)
            for start, count in dict.fromkeys((int(start), int(count)) for start, count in found)
        }
        return groups[first]

    def any(self, flag: bool) -> bool:
        """Whether the flag is true in any process."""
        return self.sum(float(flag))[0] > 0

    def sum(self, *values: float) -> list[float]:
        """Each value summed over all processes (all-reduce), in double precision."""
        totals = torch.tensor(values, dtype=torch.float64)
        with _peer_failure():
            distributed.all_reduce(totals, group=self._all)
        return [float(total) for total in totals]

    def broadcast_from_main(self, produce: Callable[[], T]) -> T:
        """See Processes."""
        return self._broadcast_from_first(self._all, produce, Any)

    def once_per_node(self, produce: Callable[[], T], kind: type[T]) -> T:
        """See Processes."""
        return self._broadcast_from_first(self._node, produce, kind)

    def _broadcast_from_first(self, group: Any, produce: Callable[[], T], kind: Any) -> T:
        if distributed.get_rank(group) == 0:
            try:
                result = produce()
                message = json_objects.encode(result)
            except (Exception, StopRequested):
                self._send_bytes(b"", group)
                raise
            self._send_bytes(message, group)
            return result
        message = self._receive_bytes(group)
        if not message:  # `produce` failed, and its process reports the error
            raise PeerFailedError
        received: T = json_objects.decode(message, kind)
        return received

    def _send_bytes(self, message: bytes, group: Any) -> None:
        with _peer_failure():
            distributed.broadcast(torch.tensor(len(message)), group=group, group_src=0)
            if message:
                data = torch.frombuffer(bytearray(message), dtype=torch.uint8)
                distributed.broadcast(data, group=group, group_src=0)

    def _receive_bytes(self, group: Any) -> bytes:
        with _peer_failure():
            length = torch.tensor(0)
            distributed.broadcast(length, group=group, group_src=0)
            data = torch.zeros(int(length), dtype=torch.uint8)
            if length:
                distributed.broadcast(data, group=group, group_src=0)
        return data.numpy().tobytes()

    def run_on_all(self, do: Callable[[], T]) -> T:
        """Call `do` in every process; if it fails in any, all raise: see `raise_on_all`."""
        try:
            result = do()
        except Exception as error:
            self.raise_on_all(error)
            raise
        self.raise_on_all(None)
        return result

    def raise_on_all(self, error: Exception | None) -> None:
        """If any process has an error, the one of lowest rank raises it, the others a PeerFailedError."""
        first = torch.tensor(self.rank if error is not None else self.world_size)
        with _peer_failure():
            distributed.all_reduce(first, distributed.ReduceOp.MIN, group=self._all)
        if error is not None and first == self.rank:
            raise error
        if first < self.world_size:
            raise PeerFailedError

    def barrier(self) -> None:
        """Wait until every process has called this, without a timeout."""
        self.sum(0.0)

    @contextmanager
    def peer_failure_context(self) -> Iterator[None]:
        """Turn errors caused by the exit of another process into PeerFailedError; others pass unchanged."""
        try:
            yield
        except RuntimeError as error:
            if isinstance(error, distributed.DistError) or "gloo" in str(error):
                raise _peer_failed(error) from error
            raise

    def broadcast(self, tensors: Iterable[torch.Tensor]) -> None:
        """Copy the first process's values into the tensors of all others, in place."""
        with _peer_failure(), torch.no_grad():
            for tensor in tensors:
                distributed.broadcast(tensor.data, src=0)

    def sum_gradients(self, parameters: Iterable[torch.Tensor]) -> None:
        """Sum the parameters' gradients over all processes, in place: one all-reduce for each dtype.

        A parameter without a gradient in a process (its rows had no image) counts as 0 there. An adapter's
        gradients are a few megabytes, so overlapping their all-reduce with the backward pass, as
        DistributedDataParallel does, would gain nothing.
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
        """Wait for all processes, then leave the process group."""
        self.barrier()
        distributed.destroy_process_group()


@contextmanager
def _peer_failure() -> Iterator[None]:
    """Turn every RuntimeError of torch.distributed into PeerFailedError."""
    try:
        yield
    except RuntimeError as error:
        raise _peer_failed(error) from error


def _peer_failed(error: RuntimeError) -> PeerFailedError:
    return PeerFailedError(f"another process of the run has exited: {error}")
