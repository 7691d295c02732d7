"""Whether a run's curves can be drawn, found out before the training."""

from finscribe_core.trainer_config import ReportTo, TrainerConfig


def check_curves(config: TrainerConfig) -> None:
    """Find out before the training whether its curves can be drawn.

    Raises:
        UserError: InvalidConfig when nobody is logged in to Weights & Biases.
    """
    if ReportTo.wandb in config.training.report_to:
        from finscribe_trainer.training.curves.weights_and_biases import refuse_without_login  # noqa: PLC0415 - slow

        refuse_without_login()
