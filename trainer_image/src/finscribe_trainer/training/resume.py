"""Exact resume from a checkpoint: the state kept for it, and which settings must not have changed."""

import logging
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.data.splits import Splits
from finscribe_trainer.training.checkpoints import RESUME_STATE, Checkpoint

log = logging.getLogger(__name__)

_WITHOUT_EFFECT = frozenset(
    f"training.{name}"
    for name in (
        "dataloader_num_workers",
        "effective_batch_size",
        "gradient_accumulation_steps",
        "per_device_eval_batch_size",
        "report_to",
        "save_steps",
        "save_total_limit",
        "step_timeout_seconds",
    )
)
"""Settings of the sections below that do not change the result; the effective batch is a fact of its own."""
EFFECTIVE_BATCH = "the effective batch (rows per step)"
_ADAPTER_SETTINGS = frozenset(
    {"model_name_or_path", "model_revision", "lora.r", "lora.target_modules", "lora.scope"}
)
"""Settings that the checkpoint's weights fit; with others they can't be loaded."""


class ResumeState(TrainerCallback, ExportableState):
    """What an exact resume needs besides Hugging Face's state; part of each checkpoint.

    Attributes:
        inputs: what the training depends on, by dotted name.
        initial_adapter: the adapter that the training started from; None for the base model.
        range_test: the curve by which the learning rate was chosen, as JSON values; None if it was given.
        num_processes: number of processes that train.
        loss_since_log: the losses of the steps since the last log line, added up.
        last_logged: step of the last log line.
        evaluated: the checkpoint's state with the evaluation that a stop had cut off; None if it had one.
        hyperparameters: those of each parameter group of the optimizer, by this run's settings.
    """

    def __init__(self) -> None:
        self.inputs: dict[str, Any] = {}
        self.initial_adapter: str | None = None
        self.range_test: dict[str, Any] | None = None
        self.num_processes = 1
        self.loss_since_log: torch.Tensor | float = 0.0
        self.last_logged = 0
        self.evaluated: TrainerState | None = None
        self.hyperparameters: list[dict[str, Any]] = []

    def keep_hyperparameters(self, optimizer: torch.optim.Optimizer) -> None:
        """Keep the hyperparameters of a new optimizer, which loading a checkpoint's replaces."""
        self.hyperparameters = [
            {name: value for name, value in group.items() if name != "params"}
            for group in optimizer.param_groups
        ]

    def state(self) -> dict[str, Any]:
        """For the checkpoint."""
        attributes = {
            "facts": self.inputs,
            "initial_adapter": self.initial_adapter,
            "range_test": self.range_test,
            "num_processes": self.num_processes,
            "loss_since_log": float(self.loss_since_log),
            "last_logged": self.last_logged,
        }
        return {"args": {}, "attributes": attributes}

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore what `state` returned; logs a warning for each changed input."""
        attributes = state.get("attributes", {})
        self.loss_since_log = attributes.get("loss_since_log", 0.0)
        self.last_logged = attributes.get("last_logged", 0)
        for line in _changes(state, self.inputs):
            log.warning("the result will differ from that of an uninterrupted training: %s", line)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Correct what Hugging Face's Trainer has just read from the checkpoint.

        The state gets the missing evaluation. Optimizer and schedule get this run's settings: the learning
        rate is that of this run's schedule at the checkpoint's step, which is the checkpoint's own if nothing
        has changed. With a larger max_steps the checkpoint's would be 0, that of the end of its schedule.
        """
        schedule = given["lr_scheduler"]
        groups = zip(given["optimizer"].param_groups, self.hyperparameters, strict=True)
        schedule.base_lrs = [settings["initial_lr"] for settings in self.hyperparameters]
        for (group, settings), factor in zip(groups, schedule.lr_lambdas, strict=True):
            group.update(settings, lr=settings["initial_lr"] * factor(schedule.last_epoch))
        if self.evaluated is not None:
            state.log_history = self.evaluated.log_history
            state.best_metric = self.evaluated.best_metric
            state.best_global_step = self.evaluated.best_global_step


ResumeState.__name__ = RESUME_STATE


def trained_learning_rate(checkpoint: Checkpoint) -> float:
    """The learning rate that a checkpoint was trained with, given or chosen."""
    inputs = checkpoint.callback_state(ResumeState.__name__)["attributes"]["facts"]
    return float(inputs["training.learning_rate"])


def check_adapter_settings(checkpoint: Checkpoint, config: TrainerConfig) -> None:
    """Check that a checkpoint's adapter has the shape and the base model that the config asks for.

    Raises:
        UserError: InvalidConfig, naming each setting that has changed.
    """
    settings = {name: value for name, value in _settings(config).items() if name in _ADAPTER_SETTINGS}
    if changed := _changes(checkpoint.callback_state(ResumeState.__name__), settings):
        raise UserError(
            FailureReason.InvalidConfig,
            f"The checkpoint holds an adapter of another shape or model: {'; '.join(changed)}.",
            "Restore the setting, or start a new training.",
        )


def _changes(state: dict[str, Any], now: dict[str, Any]) -> list[str]:
    before = state.get("attributes", {}).get("facts", {})
    changed = [name for name, value in now.items() if name in before and before[name] != value]
    return [f"{name} was {before[name]!r} and is {now[name]!r}" for name in changed]


def check_effective_batch(checkpoint: Checkpoint, inputs: dict[str, Any], num_processes: int) -> None:
    """Check that another number of processes trains with the checkpoint's effective batch; log what differs.

    Args:
        checkpoint: the one to resume from.
        inputs: those of this run, as `training_inputs` returns them.
        num_processes: number of processes now.

    Raises:
        UserError: InvalidConfig when it has another size: the rows of each step would be others.
    """
    saved_by = checkpoint.num_processes
    if saved_by == num_processes:
        return  # a changed setting is reported by `load_state`
    before = checkpoint.callback_state(ResumeState.__name__).get("attributes", {}).get("facts", {})
    rows, now = before.get(EFFECTIVE_BATCH), inputs[EFFECTIVE_BATCH]
    if rows not in (None, now):
        raise UserError(
            FailureReason.InvalidConfig,
            f"The checkpoint was saved by {saved_by} processes with an effective batch of {rows} rows; with "
            f"{num_processes} processes it has {now}.",
            f"Set training.effective_batch_size to {rows}, or train with {saved_by} processes again.",
        )
    what = "the result will differ from that of an uninterrupted training"
    if rows is not None:
        what = (
            "each step has the same rows, but their gradients are added up in another order, so the result "
            "differs by rounding"
        )
    name = checkpoint.folder.name
    log.warning("%s was saved by %d processes, and is resumed by %d: %s", name, saved_by, num_processes, what)


def training_inputs(config: TrainerConfig, splits: Splits, num_processes: int = 1) -> dict[str, Any]:
    """Everything that the trained weights depend on, by dotted name, as JSON values."""
    spec = config.training
    return _settings(config) | {
        EFFECTIVE_BATCH: spec.rows_per_step(num_processes),
        "the training data (its SHA-256)": splits.train_fingerprint,
        "the validation data (its SHA-256)": splits.validation_fingerprint,
        "the number of training rows": len(splits.train),
        "the number of validation rows": len(splits.validation),
    }


def _settings(config: TrainerConfig) -> dict[str, Any]:
    settings = config.model_dump(mode="json")
    sections = ("lora", "training", "early_stopping", "loss", "augmentation", "curriculum")
    named = {f"{section}.{name}": value for section in sections for name, value in settings[section].items()}
    found = {name: value for name, value in named.items() if name not in _WITHOUT_EFFECT}
    return found | {name: settings[name] for name in ("model_name_or_path", "model_revision", "method")}


def evaluation_is_missing(state: TrainerState, args: TrainingArguments, max_steps: int) -> bool:
    """Whether a stop came before or during the evaluation that belongs to the last step.

    Args:
        state: the checkpoint's.
        args: say how often to evaluate.
        max_steps: the length of the training; its last step is always evaluated.
    """
    due = state.global_step % int(args.eval_steps or 1) == 0 or state.global_step >= max_steps
    return due and not any(
        "eval_loss" in entry and entry["step"] == state.global_step for entry in state.log_history
    )
