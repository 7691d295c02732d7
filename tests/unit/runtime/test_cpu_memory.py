"""Memory of tensors on a CPU; in processes of their own, as glibc's settings belong to the process."""

import os
import subprocess
import sys

import pytest

from finscribe_trainer.runtime import cpu_memory

pytestmark = pytest.mark.train

TENSORS_OF_MANY_SIZES = """
import psutil, torch

def resident():
    return psutil.Process().memory_info().rss >> 20

torch.ones(7 << 20)  # once one of 28 MiB was freed, smaller ones come from the heap
before = resident()
# Of 8 MiB, small ones between them:
tensors = [torch.ones(size) for _ in range(20) for size in (2 << 20, 1 << 10)]
assert resident() - before >= 160
del tensors[::2]
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
@pytest.mark.parametrize(
    ("first", "kept"),
    [
        ("", range(140, 200)),
        ("from finscribe_trainer.runtime import cpu_memory; cpu_memory.return_freed_memory()", range(20)),
    ],
    ids=["default", "returned"],
)
def test_memory_of_large_tensors_is_returned_once_they_are_freed(first: str, kept: range):
    script = f"{first}\n{TENSORS_OF_MANY_SIZES}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) in kept


@pytest.mark.skipif(sys.platform != "linux", reason="Linux's huge pages")
@pytest.mark.parametrize(("gpu_device", "expected"), [("/dev/null", None), ("/dev/no-such-gpu", "1")])
def test_huge_pages_are_enabled_only_without_a_gpu(gpu_device, expected, monkeypatch):
    monkeypatch.setattr(cpu_memory, "_GPU_DEVICES", (gpu_device,))
    monkeypatch.delenv("THP_MEM_ALLOC_ENABLE", raising=False)
    cpu_memory.enable_huge_pages()
    assert os.environ.get("THP_MEM_ALLOC_ENABLE") == expected
