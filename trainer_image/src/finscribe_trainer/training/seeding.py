"""What is random in a step (dropout) depends on the seed, the step and the batch alone.

So a run that goes on from a checkpoint draws what it would have drawn, whatever happened in between: an
evaluation, other data workers, a stop.
"""

import random

import torch


def seed_batch(seed: int, step: int, batch: int, first_row: int = 0) -> None:
    """Seed PyTorch on every device for a batch, or for a part of one.

    Args:
        seed: the run's.
        step: optimizer steps taken before.
        batch: number of the batch among those of its step, in all processes.
        first_row: of the batch, with which the part begins.
    """
    torch.manual_seed(random.Random(f"{seed}/{step}/{batch}/{first_row}").getrandbits(63))  # noqa: S311
