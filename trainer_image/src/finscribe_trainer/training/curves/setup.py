"""Opens the sinks of a run's training curves, and checks before the training that they can be used."""

from finscribe_core.trainer_config import ReportTo, TrainerConfig
from finscribe_trainer.runtime.output_layout import LOGS_DIR, WANDB_DIR
from finscribe_trainer.training.checkpoints import Checkpoint
from finscribe_trainer.training.curves.callback import Curves, Sink
from finscribe_trainer.training.run import Run


def open_curves(run: Run, checkpoint: Checkpoint | None) -> Curves:
    """The run's curves, written by its first process; points from before the checkpoint are included."""
    sinks: list[Sink] = []
    chosen = run.config.training.report_to if run.processes.is_main else []
    if ReportTo.tensorboard in chosen:
        from finscribe_trainer.training.curves.tensorboard import TensorBoard  # noqa: PLC0415 - slow to import

        sinks.append(TensorBoard(run.output_dir / LOGS_DIR, checkpoint.step + 1 if checkpoint else 0))
    if ReportTo.wandb in chosen:
        from finscribe_trainer.training.curves.weights_and_biases import WeightsAndBiases  # noqa: PLC0415 - likewise

        settings = run.config.model_dump(mode="json", exclude_none=True)
        sinks.append(WeightsAndBiases(run.output_dir / WANDB_DIR, run.name, settings))
    curves = Curves(sinks)
    if checkpoint:
        curves.replay(checkpoint.state.get("log_history", []))
    return curves


def check_curves(config: TrainerConfig) -> None:
    """Check before the training that its curves can be written.

    Raises:
        UserError: InvalidConfig when there is no login for Weights & Biases.
    """
    if ReportTo.wandb in config.training.report_to:
        from finscribe_trainer.training.curves.weights_and_biases import refuse_without_login  # noqa: PLC0415 - slow

        refuse_without_login()
