"""Says what a job's training is, as far as that is known without its data and its model."""

from finscribe_core.api.v1alpha1 import FineTuneJobSpec


def describe_training(spec: FineTuneJobSpec) -> str:
    """A sentence with the rows of an optimizer step, the GPUs, and when the training ends."""
    training = spec.training
    if training.max_steps is not None:
        length = _count(training.max_steps, "optimizer step")
    else:
        length = f"{training.num_train_epochs:g} epoch{'' if training.num_train_epochs == 1 else 's'}"
    most = "at most " if spec.early_stopping.enabled else ""
    rows = training.rows_per_step(spec.resources.num_processes)
    text = f"It trains for {most}{length}, with {rows:,} rows per step, {_where(spec)}"
    if spec.experiments:
        return f"{text}; experiments ({len(spec.experiments)}) change some of it."
    return f"{text}."


def _where(spec: FineTuneJobSpec) -> str:
    resources = spec.resources
    device = f"on {_count(resources.total_gpus, 'GPU')}" if resources.gpus else "on the CPU"
    return device if resources.num_nodes == 1 else f"{device} of {resources.num_nodes} nodes"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
