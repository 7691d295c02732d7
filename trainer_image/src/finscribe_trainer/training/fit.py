"""Runs the training: base model's loss, optimizer steps, checkpoints, and the best adapter at the end."""

import logging
import math
import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from peft import PeftModel
from transformers import TrainerCallback, TrainerState

from finscribe_core.constants import CHECKPOINTS_PREFIX
from finscribe_core.errors import FailureReason, RetryableError
from finscribe_core.report import Phase
from finscribe_trainer.batches.augmentation.augment import prepare_augmentation
from finscribe_trainer.batches.dataset import EncodedExamples
from finscribe_trainer.batches.features.cache import FeatureCache
from finscribe_trainer.batches.features.setup import open_cache
from finscribe_trainer.batches.model_inputs import ModelInputs
from finscribe_trainer.batches.packing import choose_packing
from finscribe_trainer.data.splits import Splits
from finscribe_trainer.loss.weights import create_token_weights
from finscribe_trainer.model.families.base import Family
from finscribe_trainer.model.sharding import ShardedLayers
from finscribe_trainer.runtime.stop_signal import StopRequested
from finscribe_trainer.storage import Storage
from finscribe_trainer.training.arguments import build_arguments, steps_per_epoch
from finscribe_trainer.training.best_adapter import BestAdapter
from finscribe_trainer.training.callbacks import (
    BASE_LOSS,
    EarlyStopping,
    EvaluationScheduleCallback,
    ProgressCallback,
    UploadCallback,
)
from finscribe_trainer.training.checkpoints import Checkpoint, CheckpointUploads, check_same_checkpoint
from finscribe_trainer.training.curriculum.prepare import prepare_curriculum
from finscribe_trainer.training.curves.setup import open_curves
from finscribe_trainer.training.progress_bar import ProgressBar
from finscribe_trainer.training.resume import (
    ResumeState,
    check_effective_batch,
    evaluation_is_missing,
    training_inputs,
)
from finscribe_trainer.training.run import Run
from finscribe_trainer.training.sampler import DataOrder
from finscribe_trainer.training.trainer import BASE_PREFIX, AnswerTrainer
from finscribe_trainer.training.validation_documents import ValidationDocuments

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trained:
    """The result of the training."""

    model: PeftModel
    state: Any
    """Hugging Face's TrainerState at the end."""
    base: dict[str, float]
    """The base model's metrics on the validation set, by names that begin with base_eval_."""
    stopped_early: bool
    resumed_from: str | None
    features: FeatureCache | None

    @property
    def best_loss(self) -> float | None:
        """The validation loss of the best evaluation, whatever metric it was the best by."""
        losses = [
            float(entry["eval_loss"])
            for entry in self.state.log_history
            if "eval_loss" in entry and entry["step"] == self.state.best_global_step
        ]
        return losses[-1] if losses else None


def fit(
    run: Run,
    model: PeftModel,
    family: Family,
    splits: Splits,
    checkpoint: Checkpoint | None,
    storage: Storage,
) -> Trained:
    """Train until the last step, or until early stopping; the best adapter is in the model afterwards.

    Raises:
        UserError: NonFiniteLoss.
        RetryableError: Interrupted, after a checkpoint was saved and uploaded.
    """
    early_stopping = EarlyStopping(run.config.early_stopping)
    metric = run.config.early_stopping.metric
    report = ProgressCallback(run.reporter, early_stopping)
    processes = run.processes
    uploaded_to = run.uri if processes.is_main else None

    def upload(folder: Path) -> None:
        if uploaded_to:
            started = time.monotonic()
            storage.save_checkpoint(folder, uploaded_to)
            size = sum(path.stat().st_size for path in folder.iterdir())
            run.reporter.record_upload(size, time.monotonic() - started)

    uploads = CheckpointUploads(upload)
    curves = open_curves(run, checkpoint)
    callbacks: list[TrainerCallback] = [
        curves,
        EvaluationScheduleCallback(run.stop, processes),
        early_stopping,
        report,
        UploadCallback(uploads.submit, lambda: processes.broadcast_from_main(uploads.raise_if_failed)),
    ]
    trainer = processes.run_on_all(lambda: build_trainer(run, model, family, splits, callbacks))
    processes.run_on_all(lambda: trainer.documents.refuse_inapplicable(metric))
    sharded = _shard(run, model)
    if sharded:
        trainer.gathered = sharded.gathered
    trainer.before_save = uploads.wait
    check_same_checkpoint(checkpoint, processes, from_bucket=bool(run.uri and run.resume is None))
    inputs = training_inputs(run.config, splits, processes.world_size)
    if checkpoint:
        check_effective_batch(checkpoint, inputs, processes.world_size)
    processes.broadcast(weight for weight in model.parameters() if weight.requires_grad)
    trainer.resume_state.inputs = inputs
    trainer.resume_state.num_processes = processes.world_size
    trainer.resume_state.initial_adapter = run.initial_adapter
    trainer.resume_state.range_test = run.range_test
    if checkpoint:
        trainer.resume_state.load_state(checkpoint.callback_state(ResumeState.__name__))
        report.base = checkpoint.logged(BASE_PREFIX)
        trainer.best.load(checkpoint.folder)
        report.load_state(checkpoint.callback_state(ProgressCallback.__name__))
        early_stopping.load_state(checkpoint.callback_state(EarlyStopping.__name__))
    else:
        report.base = _measure_base(run, model, trainer)
    with run.stop.deferred(), closing(curves):
        _run_steps(run, trainer, checkpoint, early_stopping, total_steps(run, splits))
        processes.broadcast_from_main(uploads.wait)
        _raise_if_stopped(run, trainer.state)
        processes.shutdown()
    if not trainer.best.restore(model):
        log.warning("no evaluation took place: the last adapter is exported")
    features = trainer.model_inputs.features
    if features is not None:
        features.log_summary()
    source = _resumed_from(run, checkpoint)
    return Trained(model, trainer.state, report.base, early_stopping.triggered, source, features)


def _shard(run: Run, model: PeftModel) -> ShardedLayers | None:
    if not run.config.training.fsdp:
        return None
    if run.processes.world_size == 1:
        log.warning("training.fsdp has no effect with one process; see --nproc-per-node")
        return None
    return ShardedLayers(model)


def build_trainer(
    run: Run, model: PeftModel, family: Family, splits: Splits, callbacks: list[TrainerCallback]
) -> AnswerTrainer:
    """The Trainer for a config: rows in their order, loss, optimizer."""
    spec = run.config.training
    base: Any = model.get_base_model()
    metric = run.config.early_stopping.metric
    args = build_arguments(spec, run.output_dir, _epoch_steps(run, splits), dtype=base.dtype)
    examples = [*splits.train, *splits.validation]
    features = open_cache(run.config, args, model, family, examples, run.reporter.record_feature_cache)
    store = features.store if features else None
    documents = ValidationDocuments(
        splits.validation,
        run.config.evaluation,
        family,
        args.per_device_eval_batch_size,
        run.stop.requested.is_set,
        features,
    )
    documents.record_answer = run.reporter.record_answer
    answers = (example.row.completion for example in splits.train)
    weights = create_token_weights(run.config.loss, family.tokenizer, answers)
    trainer = AnswerTrainer(
        model=model,
        args=args,
        collate=family.collate,
        model_inputs=ModelInputs(family, features),
        train=EncodedExamples(
            splits.train, family, weights, prepare_augmentation(run.config, splits.train), store
        ),
        order=data_order(run, splits, args.train_batch_size * args.world_size),
        validation=EncodedExamples(splits.validation, family, features=store),
        callbacks=callbacks,
        stop=run.stop,
        best=BestAdapter(metric),
        documents=documents,
        loss=run.config.loss,
        processes=run.processes,
        count_rows=lambda count: run.reporter.record_metrics(samples=count * run.processes.world_size),
        set_activity=run.reporter.set_activity,
    )
    packing = choose_packing(
        spec.packing, model, family
    )  # runs the model on the device that the Trainer has moved it to
    trainer.model_inputs = replace(trainer.model_inputs, packing=packing)
    return trainer


def data_order(run: Run, splits: Splits, rows_at_once: int) -> DataOrder:
    """The order of the training rows in each epoch."""
    spec, num_rows = run.config.training, len(splits.train)
    num_epochs = total_steps(run, splits) / _epoch_steps(run, splits)
    return DataOrder(
        num_rows,
        spec.seed,
        prepare_curriculum(run.config, splits.train, num_epochs),
        splits.train_lengths if spec.group_by_length else None,
        spec.effective_batch_size or rows_at_once,
    )


def _measure_base(run: Run, model: PeftModel, trainer: AnswerTrainer) -> dict[str, float]:
    """The base model's metrics on the validation set."""
    run.reporter.set_phase(Phase.Evaluating)
    with model.disable_adapter():
        metrics = trainer.evaluate(metric_key_prefix=BASE_PREFIX)
    base = {name: value for name, value in metrics.items() if name.startswith(BASE_PREFIX)}
    if run.stop.requested.is_set():
        raise StopRequested
    run.reporter.record_metrics(base_eval_loss=base[BASE_LOSS])
    return base


def total_steps(run: Run, splits: Splits) -> int:
    """Optimizer steps of the training, unless early stopping ends it."""
    spec = run.config.training
    return spec.max_steps or math.ceil(spec.num_train_epochs * _epoch_steps(run, splits))


def _epoch_steps(run: Run, splits: Splits) -> int:
    return steps_per_epoch(run.config.training, len(splits.train), run.processes.world_size)


def _run_steps(
    run: Run,
    trainer: AnswerTrainer,
    checkpoint: Checkpoint | None,
    early_stopping: EarlyStopping,
    total_steps: int,
) -> None:
    """Train from the checkpoint on, unless it is the end: the last step, or where early stopping ends."""
    bar = ProgressBar() if run.show_bar else None
    if bar:
        trainer.add_callback(bar)
    try:
        with run.processes.peer_failure_context():
            if checkpoint:
                _load(run, trainer, checkpoint, total_steps)
            stopped = trainer.control.should_training_stop or early_stopping.triggered
            if stopped or trainer.state.global_step >= total_steps:
                log.info("all steps are done: the training ends at step %d", trainer.state.global_step)
                return
            if checkpoint:
                log.info("resuming from %s, step %d", checkpoint.folder, checkpoint.step)
            trainer.train(resume_from_checkpoint=str(checkpoint.folder) if checkpoint else None)
    finally:
        run.reporter.set_activity(None)
        trainer.shut_down_workers()
        if bar:
            bar.close()


def _load(run: Run, trainer: AnswerTrainer, checkpoint: Checkpoint, total_steps: int) -> None:
    """Load adapter and state of a checkpoint, and evaluate it if a stop cut off its evaluation."""
    trainer.load_checkpoint(checkpoint.folder)
    if evaluation_is_missing(trainer.state, trainer.args, total_steps):
        run.reporter.set_phase(Phase.Evaluating)
        trainer.evaluate()
        trainer.resume_state.evaluated = trainer.state


def _raise_if_stopped(run: Run, state: TrainerState) -> None:
    if not run.processes.any(run.stop.requested.is_set()):
        return
    folder = run.output_dir / f"checkpoint-{state.global_step}"
    remedy = "Start the run again." if run.uri else f"Start again with --resume {folder}"
    message = f"Stopped; checkpoint saved after step {state.global_step}."
    run.processes.raise_on_all(RetryableError(FailureReason.Interrupted, message, remedy))


def _resumed_from(run: Run, checkpoint: Checkpoint | None) -> str | None:
    """The checkpoint as a user can name it: its S3 prefix, or what was given with --resume."""
    if checkpoint is None:
        return None
    if run.uri and not run.resume:
        return f"{run.uri}/{CHECKPOINTS_PREFIX}/{checkpoint.folder.name}"
    return run.resume
