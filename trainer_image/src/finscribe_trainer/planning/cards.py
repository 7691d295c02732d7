"""Which GPUs have enough memory."""

GIB = 2**30
CARDS = {
    "T4 (16 GB)": 15.0,
    "L4, A10 (24 GB)": 22.5,
    "A100 (40 GB)": 39.5,
    "L40S (48 GB)": 44.5,
    "A100, H100 (80 GB)": 79.0,
    "H200 (141 GB)": 139.0,
}
"""Memory that programs can use, in GiB."""
CONTEXT = 1.5 * GIB
"""What CUDA and its libraries take in each process; an assumption."""
LOST = 0.1
"""Share that the allocator loses; an assumption."""


def needed(peak: int) -> float:
    """Bytes of a card's memory that a training with this peak needs."""
    return peak * (1 + LOST) + CONTEXT


def fitting(peak: int) -> list[str]:
    """The cards that a training with this peak fits on."""
    return [name for name, size in CARDS.items() if needed(peak) <= size * GIB]
