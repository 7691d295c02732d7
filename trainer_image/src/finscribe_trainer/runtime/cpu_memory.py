"""Memory allocator settings for training on a CPU under Linux: huge pages, and large blocks outside the heap.

docs/benchmarks.md has what each of them saves. Elsewhere (GPU, other systems) they were never measured, and
stay off.
"""

import ctypes
import os
import sys
from pathlib import Path

_M_MMAP_THRESHOLD = -3
"""From glibc's <malloc.h>."""
_LARGE = 8 * 2**20
"""Bytes: activations and logits are larger, most other tensors are smaller."""
_GPU_DEVICES = ("/dev/nvidiactl", "/dev/kfd")
"""Device files of NVIDIA's and AMD's drivers. PyTorch can't be asked: it is not imported yet."""


def enable_huge_pages() -> None:
    """Have PyTorch ask for huge pages, which makes it cheap to allocate large blocks again and again.

    PyTorch reads the variable once, at the first tensor: this must come before it is imported. A value that
    the environment sets is kept.
    """
    if sys.platform == "linux" and not any(Path(device).exists() for device in _GPU_DEVICES):
        os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def return_freed_memory() -> None:
    """Have glibc return the memory of a large tensor to the system as soon as it is freed.

    By default glibc keeps freed blocks of up to 32 MiB on its heap. A training frees tensors of many sizes,
    few of which fit into the space that another has left. Costs CPU time in the kernel. Other C libraries
    are left unchanged.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE)
