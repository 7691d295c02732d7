"""How a process takes the memory of tensors on a CPU from the system, and gives it back."""

import ctypes
import os
import sys

_M_MMAP_THRESHOLD = -3
"""Of glibc's <malloc.h>."""
_LARGE = 8 * 2**20
"""Bytes: activations and logits are larger, most else is smaller."""


def enable_huge_pages() -> None:
    """Have PyTorch ask for large pages, which makes it cheap to take memory anew.

    PyTorch looks once, at the first tensor: this must come before it is imported. An environment that says
    otherwise is left as it is.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def return_freed_memory() -> None:
    """Have glibc give the memory of a large tensor back to the system as soon as it is freed.

    Left alone, it keeps freed blocks of up to 32 MiB on its heap. A training frees tensors of many sizes, few
    of which fit into what another has left, so that holes come to as much as the tensors. Other C libraries
    are left as they are.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE)
