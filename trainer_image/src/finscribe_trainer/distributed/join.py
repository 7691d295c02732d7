"""Joins this process to the run's other processes."""

import os

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.distributed.processes import Processes


def join(step_timeout_seconds: int) -> Processes:
    """The processes of this run, this one among them, once all of them are there.

    Args:
        step_timeout_seconds: how long a process waits for the others within a step.

    Raises:
        UserError: InvalidConfig when there are more processes than GPUs on this machine.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Processes()
    _refuse_too_many()
    from finscribe_trainer.distributed.process_group import ProcessGroup  # noqa: PLC0415 - imports torch

    return ProcessGroup(step_timeout_seconds)


def _refuse_too_many() -> None:
    import torch  # noqa: PLC0415

    started, gpus = int(os.environ.get("LOCAL_WORLD_SIZE", "1")), torch.cuda.device_count()
    if 0 < gpus < started:
        raise UserError(
            FailureReason.InvalidConfig,
            f"{started} processes were started on this machine, which shows {gpus} GPUs.",
            f"Start {gpus}, one for each GPU (--nproc-per-node {gpus}).",
        )
