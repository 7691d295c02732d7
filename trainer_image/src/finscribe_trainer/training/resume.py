"""Going on from a checkpoint exactly: what it holds beside Hugging Face's, and what must be the same."""

import logging
from typing import Any

from transformers import TrainerCallback, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.data.splits import Splits
from finscribe_trainer.training.checkpoints import Checkpoint

log = logging.getLogger(__name__)

_WITHOUT_EFFECT = frozenset(
    f"training.{name}"
    for name in (
        "dataloader_num_workers",
        "per_device_eval_batch_size",
        "report_to",
        "save_steps",
        "save_total_limit",
        "step_timeout_seconds",
    )
)
"""Settings of the sections below that change nothing of what is learned."""
_OF_THE_ADAPTER = frozenset(
    {"model_name_or_path", "model_revision", "lora.r", "lora.target_modules", "lora.scope"}
)
"""What the checkpoint's weights belong to."""


class Continuation(TrainerCallback, ExportableState):
    """Its state is part of each checkpoint.

    Attributes:
        facts: what the training depends on, by dotted name.
        loss_since_log: the steps' losses that no log line holds yet, added up.
        last_logged: step of the last log line.
    """

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}
        self.loss_since_log = 0.0
        self.last_logged = 0

    def state(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"args": {}, "attributes": dict(vars(self))}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave, with the facts as they are now; changes are said by name."""
        attributes = state.get("attributes", {})
        self.loss_since_log = attributes.get("loss_since_log", 0.0)
        self.last_logged = attributes.get("last_logged", 0)
        for line in _changes(state, self.facts):
            log.warning("not what would have come without the interruption: %s", line)


def refuse_misfit(checkpoint: Checkpoint, config: TrainerConfig) -> None:
    """See that a checkpoint's adapter is of the shape and the model that the config says.

    Raises:
        UserError: InvalidConfig, naming each setting that is not as it was.
    """
    settings = {name: value for name, value in _settings(config).items() if name in _OF_THE_ADAPTER}
    if unfit := _changes(checkpoint.callback_state(Continuation.__name__), settings):
        raise UserError(
            FailureReason.InvalidConfig,
            f"The checkpoint holds an adapter of another shape or model: {'; '.join(unfit)}.",
            "Set it as it was, or train anew.",
        )


def _changes(state: dict[str, Any], now: dict[str, Any]) -> list[str]:
    before = state.get("attributes", {}).get("facts", {})
    changed = [name for name, value in now.items() if name in before and before[name] != value]
    return [f"{name} was {before[name]!r} and is {now[name]!r}" for name in changed]


def facts(config: TrainerConfig, splits: Splits) -> dict[str, Any]:
    """Everything that the weights depend on at the end, by dotted name, as JSON can hold it."""
    return _settings(config) | {
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


def evaluation_is_missing(state: TrainerState, args: TrainingArguments) -> bool:
    """Whether a stop came before or within the evaluation that belongs to the last step."""
    due = state.global_step % int(args.eval_steps or 1) == 0 or state.global_step >= state.max_steps
    return due and not any(
        "eval_loss" in entry and entry["step"] == state.global_step for entry in state.log_history
    )
