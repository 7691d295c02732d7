"""Follows the memory of tensors: how much is alive, what it is for, and the largest sum."""

import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Allocations(TorchDispatchMode):
    """Counts the bytes of tensors that operations create while it is entered, until they are freed.

    What was there before, such as weights, does not count, nor do views of it. Memory that a kernel uses
    within one operation is not seen. Tensors without data, of FakeTensorMode, count like others.

    Args:
        kind_of: names what a new tensor is for.
    """

    def __init__(self, kind_of: Callable[[torch.Tensor], str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._kind_of = kind_of
        self._kinds: dict[int, tuple[str, int]] = {}
        self._alive: Counter[str] = Counter()
        self.peak: Counter[str] = Counter()
        """Bytes by kind at the time of the largest sum."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation, and count what it returns."""
        for tensor in _tensors(args):
            self._count(tensor, was_there=True)
        result = func(*args, **(kwargs or {}))
        for tensor in _tensors(result):
            self._count(tensor)
        return result

    def _count(self, tensor: torch.Tensor, *, was_there: bool = False) -> None:
        storage = tensor.untyped_storage()
        key = id(storage)  # the same object as long as the memory is used
        if key in self._kinds:  # a view, or an operation in place
            return
        kind, size = self._kind_of(tensor), 0 if was_there else storage.nbytes()
        self._kinds[key] = kind, size
        self._alive[kind] += size
        weakref.finalize(storage, self._free, key)
        if self._alive.total() > self.peak.total():
            self.peak = Counter(self._alive)

    def _free(self, key: int) -> None:
        kind, size = self._kinds.pop(key)
        self._alive[kind] -= size


def _tensors(result: Any) -> Iterator[torch.Tensor]:
    if isinstance(result, torch.Tensor):
        yield result
    elif isinstance(result, tuple | list):
        for part in result:
            yield from _tensors(part)
