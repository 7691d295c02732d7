"""Translates the hyperparameters of the spec into Hugging Face's TrainingArguments."""

import logging
import math
from pathlib import Path

import torch
from transformers import TrainingArguments

from finscribe_core.trainer_config import LrScheduler, TrainingSpec

log = logging.getLogger(__name__)


def steps_per_epoch(spec: TrainingSpec, num_rows: int, num_processes: int = 1) -> int:
    """Optimizer steps per epoch."""
    batches = math.ceil(num_rows / (spec.per_device_train_batch_size * num_processes))
    return math.ceil(batches / spec.gradient_accumulation_steps)


def build_arguments(
    spec: TrainingSpec, output_dir: Path, epoch_steps: int, *, dtype: torch.dtype
) -> TrainingArguments:
    """Every field of the spec as an argument of Hugging Face's Trainer.

    Evaluations and checkpoints are always scheduled in steps; "once an epoch" is `epoch_steps` of them.
    """
    eval_steps = spec.eval_steps or epoch_steps
    _warn_of_unused_settings(spec)
    arguments = TrainingArguments(
        output_dir=str(output_dir),
        learning_rate=spec.known_learning_rate,
        num_train_epochs=spec.num_train_epochs,
        max_steps=spec.max_steps or -1,
        per_device_train_batch_size=spec.per_device_train_batch_size,
        per_device_eval_batch_size=spec.per_device_eval_batch_size or spec.per_device_train_batch_size,
        gradient_accumulation_steps=spec.gradient_accumulation_steps,
        warmup_steps=_warmup(spec),
        weight_decay=spec.weight_decay,
        max_grad_norm=spec.max_grad_norm,
        lr_scheduler_type=str(spec.lr_scheduler_type),
        lr_scheduler_kwargs=_scheduler_options(spec),
        activation_checkpointing=spec.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False},
        optim=str(spec.optim),
        bf16=dtype is torch.bfloat16,
        fp16=dtype is torch.float16,
        logging_steps=spec.logging_steps,
        logging_nan_inf_filter=False,  # a loss that is NaN or infinite ends the training instead
        eval_strategy="steps",
        eval_steps=eval_steps,
        save_strategy="steps",
        save_steps=spec.save_steps or eval_steps,
        save_total_limit=spec.save_total_limit,
        seed=spec.seed,
        dataloader_num_workers=spec.dataloader_num_workers,
        dataloader_persistent_workers=spec.dataloader_num_workers > 0,
        dataloader_pin_memory=torch.cuda.is_available(),
        accelerator_config={"non_blocking": torch.cuda.is_available()},
        remove_unused_columns=False,
        report_to="none",  # curves/ writes them, by the names of the training guide
        disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(),
    )
    if arguments.n_gpu > 1:
        log.warning("%d GPUs are visible, one is used", arguments.n_gpu)
        arguments._n_gpu = 1  # or the Trainer would split batches over all of them
    return arguments


def _warmup(spec: TrainingSpec) -> float:
    """Number of warm-up steps; a value below 1 is a share of all steps."""
    return spec.warmup_ratio if spec.warmup_steps is None else spec.warmup_steps


def _scheduler_options(spec: TrainingSpec) -> dict[str, int]:
    restarts = spec.lr_scheduler_type is LrScheduler.cosine_with_restarts
    return {"num_cycles": spec.lr_scheduler_num_cycles} if restarts else {}


def _warn_of_unused_settings(spec: TrainingSpec) -> None:
    """Warn of settings that are not used, unless they are the default: a job's config contains them all."""
    chosen = {name for name, field in type(spec).model_fields.items() if getattr(spec, name) != field.default}
    warmups = [name for name in ("warmup_ratio", "warmup_steps") if name in chosen]
    if spec.lr_scheduler_type is LrScheduler.constant and warmups:
        log.warning("%s has no effect with lr_scheduler_type constant; use constant_with_warmup", warmups[0])
    elif len(warmups) == 2 and spec.warmup_steps is not None:
        log.warning("warmup_ratio has no effect if warmup_steps is set")
    restarts = spec.lr_scheduler_type is LrScheduler.cosine_with_restarts
    if "lr_scheduler_num_cycles" in chosen and not restarts:
        log.warning("lr_scheduler_num_cycles has no effect without lr_scheduler_type cosine_with_restarts")
