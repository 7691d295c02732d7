"""Joins the process group of a run, as the environment variables of its launcher describe it."""

import os

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.distributed.processes import Processes


def join(step_timeout_seconds: int) -> Processes:
    """Join the run's process group; returns when all processes have joined.

    Args:
        step_timeout_seconds: timeout of the collective operations within a step.

    Raises:
        UserError: InvalidConfig when there are more processes than GPUs on this machine.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Processes()
    _check_gpu_count()
    from finscribe_trainer.distributed.process_group import ProcessGroup  # noqa: PLC0415 - imports torch

    return ProcessGroup(step_timeout_seconds)


def _check_gpu_count() -> None:
    import torch  # noqa: PLC0415

    started, gpus = int(os.environ.get("LOCAL_WORLD_SIZE", "1")), torch.cuda.device_count()
    if 0 < gpus < started:
        raise UserError(
            FailureReason.InvalidConfig,
            f"{started} processes were started on this machine, which has {gpus} visible GPUs.",
            f"Start one process per GPU: --nproc-per-node {gpus}.",
        )
