"""The gradient accumulation that follows from `training.effective_batch_size` and the number of processes."""

import logging

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import TrainerConfig, TrainingSpec

log = logging.getLogger(__name__)


def with_known_accumulation(config: TrainerConfig, num_processes: int = 1) -> TrainerConfig:
    """The config with the gradient accumulation by which the effective batch has its size.

    Raises:
        UserError: InvalidConfig when it can't be divided among the processes.
    """
    try:
        steps = config.training.accumulation_for(num_processes)
    except ValueError as error:
        raise UserError(
            FailureReason.InvalidConfig,
            f"{error}.",
            "Change one of the two, or the processes (resources.gpus, resources.nodes; --nproc-per-node).",
        ) from error
    default = TrainingSpec.model_fields["gradient_accumulation_steps"].default
    if config.training.effective_batch_size and config.training.gradient_accumulation_steps != default:
        log.warning("gradient_accumulation_steps has no effect if effective_batch_size is set")
    training = config.training.model_copy(update={"gradient_accumulation_steps": steps})
    return config.model_copy(update={"training": training})
