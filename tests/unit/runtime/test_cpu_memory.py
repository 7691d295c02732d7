"""Memory of tensors on a CPU, in processes of their own: glibc's settings are the process's."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.train

TENSORS_OF_MANY_SIZES = """
import psutil, torch

def held():
    return psutil.Process().memory_info().rss >> 20

torch.ones(7 << 20)  # once one of 28 MiB was freed, smaller ones come from the heap
before = held()
# Of 8 MiB, small ones between them:
tensors = [torch.ones(size) for _ in range(20) for size in (2 << 20, 1 << 10)]
assert held() - before >= 160
del tensors[::2]
print(held() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
@pytest.mark.parametrize(
    ("first", "kept"),
    [
        ("", range(140, 200)),
        ("from finscribe_trainer.runtime import cpu_memory; cpu_memory.return_freed_memory()", range(20)),
    ],
    ids=["as it is", "given back"],
)
def test_memory_of_large_tensors_is_given_back_once_they_are_freed(first: str, kept: range):
    script = f"{first}\n{TENSORS_OF_MANY_SIZES}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) in kept
