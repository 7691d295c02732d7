"""Seeds PyTorch for each batch, so that dropout depends only on the run's seed, the step and the batch.

A resumed run then draws the same random numbers as an uninterrupted one, whatever happened in between: an
evaluation, another number of data workers, a stop.
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
