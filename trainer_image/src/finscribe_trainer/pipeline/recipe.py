"""Runs the stages in order: set up, load data, fetch the model, train and export, publish."""

import logging
import os
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from finscribe_core.constants import ENV_TRAINING_HASH, LATEST_FILE, MANIFEST_FILE, TRAININGS_PREFIX
from finscribe_core.errors import FailureReason, UserError, disk_errors_as_finscribe_errors
from finscribe_core.report import (
    DatasetState,
    EvaluationReport,
    LearningRateChoice,
    Metrics,
    Outputs,
    Phase,
    RunResult,
    outputs_below,
    published_metrics,
)
from finscribe_core.trainer_config import OutputFormat
from finscribe_trainer.data.image_count import image_count
from finscribe_trainer.data.splits import Splits
from finscribe_trainer.model.initial_adapter import InitialAdapter, fetch_initial_adapter
from finscribe_trainer.model.source import ModelSource
from finscribe_trainer.pipeline.export import remove_training, stage_result, write_config
from finscribe_trainer.pipeline.inputs import fetch_model, load_splits, open_storage
from finscribe_trainer.pipeline.retention import delete_outdated
from finscribe_trainer.runtime.output_layout import (
    ADAPTER_DIR,
    CONFIG_FILE,
    EVALUATION_DIR,
    MERGED_DIR,
    METRICS_FILE,
    RUN_NAME,
)
from finscribe_trainer.runtime.outputs import claim_folder
from finscribe_trainer.storage import Storage
from finscribe_trainer.training.checkpoints import (
    Checkpoint,
    find_checkpoint,
    read_named_checkpoint,
    refuse_earlier_training,
)
from finscribe_trainer.training.curves.setup import check_curves
from finscribe_trainer.training.run import Run

log = logging.getLogger(__name__)


def train(run: Run) -> RunResult | None:
    """Run all stages; a run whose result is already in the bucket is complete.

    Returns:
        the result; None in every process but the first.

    Raises:
        FinscribeError: a user error or a transient error.
        StopRequested: a stop was requested outside the training loop.
    """
    config, reporter, processes = run.config, run.reporter, run.processes
    reporter.set_phase(Phase.Starting)
    reporter.set_run_info(config.model_name or config.model_name_or_path, config.method)
    storage = open_storage(config, run.stop.cancel_transfers, reporter)
    with ExitStack() as claimed:
        published = processes.broadcast_from_main(lambda: _prepare_outputs(run, storage, claimed))
        if published is not None:
            return _end_run(run, storage, published) if processes.is_main else None
        return _train_and_publish(run, storage)


def report_published(run: Run) -> RunResult:
    """The result of a run that is complete in the bucket; latest.json names it, if it passed its gate.

    Raises:
        UserError: ResultNotFound when the bucket holds no complete result of the run.
    """
    storage = Storage.from_config(run.config.storage, observer=run.reporter, cancel=run.stop.cancel_transfers)
    for candidate in (run, _run_of_same_training(run, storage)):
        if candidate and candidate.uri and (published := _published_metrics(candidate.uri, storage)):
            return _finish_run(candidate, storage, published)
    raise UserError(FailureReason.ResultNotFound, f"{run.uri} holds no complete result.")


def _run_of_same_training(run: Run, storage: Storage) -> Run | None:
    """The run with another name that was published with the same training settings, such as that of a job in
    the cluster from which this one was restored; None when there is none.
    """
    uri = _training_uri(run)
    name = (storage.read_json(uri) or {}).get("run") if uri else None
    return replace(run, name=name) if isinstance(name, str) and RUN_NAME.fullmatch(name) else None


def _training_uri(run: Run) -> str | None:
    """The file that names the run of this training; None outside a FineTuneJob's pod."""
    training_hash = os.environ.get(ENV_TRAINING_HASH)
    if not training_hash or run.config.output_uri is None:
        return None
    return f"{run.config.output_uri.rstrip('/')}/{TRAININGS_PREFIX}/{training_hash}.json"


def _train_and_publish(run: Run, storage: Storage) -> RunResult | None:
    config, reporter, processes = run.config, run.reporter, run.processes
    reporter.set_phase(Phase.Downloading)
    inputs = processes.once_per_node(lambda: _fetch_inputs(run, storage), _Inputs)
    splits, source, start = inputs.splits, inputs.source, inputs.checkpoint or inputs.adapter
    run = replace(run, initial_adapter=inputs.initial_adapter)
    reporter.set_initial_adapter(run.initial_adapter)

    # torch and transformers take seconds to import: errors in data or URIs are reported before.
    from finscribe_trainer.pipeline.stages import train_and_export  # noqa: PLC0415

    def save_config() -> None:
        # Not earlier: a rejected run leaves the one before as it is. Not later: a killed run needs a config.
        if run.overwrite and not run.resumes_in_place:
            remove_training(run.output_dir)
        write_config(config, run.output_dir / CONFIG_FILE)

    processes.broadcast_from_main(save_config)
    run_metrics = train_and_export(run, source, splits, start, storage)
    if run_metrics is None:
        return None
    if run.uri:
        reporter.set_phase(Phase.Uploading)
        staged = run.output_dir / "result"
        stage_result(run.output_dir, staged)
        storage.publish_run(staged, run.uri)
    return _end_run(run, storage, run_metrics)


def _end_run(run: Run, storage: Storage, run_metrics: dict[str, Any]) -> RunResult:
    result = _finish_run(run, storage, run_metrics)
    delete_outdated(run, storage, run_metrics.get("best_step"))
    return result


def _prepare_outputs(run: Run, storage: Storage, claimed: ExitStack) -> dict[str, Any] | None:
    """Check that results can be written, and claim the output folder until `claimed` is closed.

    Returns:
        the metrics of a run that is already published; else None.
    """
    if run.uri and (run_metrics := _published_metrics(run.uri, storage)) is not None:
        log.info("%s is already published: nothing to do", run.uri)
        return run_metrics
    check_curves(run.config)
    if run.config.output_uri:
        storage.check_writable(run.config.output_uri)
    claimed.enter_context(claim_folder(run.output_dir, writes=()))  # `_fetch_inputs` looks at its content
    return None


@dataclass(frozen=True)
class _Inputs:
    """What a run starts from, on this machine."""

    checkpoint: Checkpoint | None
    adapter: InitialAdapter | None
    """None when the training resumes from a checkpoint, which has newer weights."""
    splits: Splits
    source: ModelSource

    @property
    def initial_adapter(self) -> str | None:
        """The adapter that the training started from, maybe in an earlier attempt."""
        if self.checkpoint is not None:
            return self.checkpoint.initial_adapter
        return self.adapter.location if self.adapter else None


def _fetch_inputs(run: Run, storage: Storage) -> _Inputs:
    """Download data, base model and checkpoint, and check every row."""
    config, inputs = run.config, run.output_dir / "inputs"
    with disk_errors_as_finscribe_errors():
        run.output_dir.mkdir(parents=True, exist_ok=True)  # on this machine
    if not run.may_find_earlier_training:
        refuse_earlier_training(run.output_dir)
    splits = load_splits(config, inputs, storage, run.reporter.set_dataset)
    source = fetch_model(config, inputs / "model", storage)
    checkpoint = _checkpoint(run, source, storage)
    adapter = None if checkpoint else _adapter(run, source, storage)
    return _Inputs(checkpoint, adapter, splits, source)


def _adapter(run: Run, source: ModelSource, storage: Storage) -> InitialAdapter | None:
    """The adapter that a new training starts from."""
    adapter = fetch_initial_adapter(run.config, run.output_dir / "inputs" / "adapter", storage)
    if adapter is not None:
        from finscribe_trainer.model.adapter_fit import check_adapter_fits  # noqa: PLC0415 - imports torch

        check_adapter_fits(adapter.folder, adapter.location, run.config, source)
        log.info("the training starts from the adapter %s", adapter.location)
    return adapter


def _checkpoint(run: Run, source: ModelSource, storage: Storage) -> Checkpoint | None:
    """The checkpoint to resume from: the one named, else the newest in the bucket that can be used."""

    def check(checkpoint: Checkpoint) -> None:
        from finscribe_trainer.training.checkpoint_fit import check_fit  # noqa: PLC0415 - imports torch

        check_fit(checkpoint, run.config, source)

    if run.resume is not None:
        checkpoint = read_named_checkpoint(run.resume, run.output_dir, storage)
        check(checkpoint)
        return checkpoint
    if run.uri and run.may_have_begun:
        return find_checkpoint(run.uri, run.output_dir, storage, check)
    return None


def _published_metrics(uri: str, storage: Storage) -> dict[str, Any] | None:
    """The metrics of a run whose result is complete in the bucket, from an earlier attempt; else None."""
    if storage.read_json(f"{uri}/{MANIFEST_FILE}") is None:
        return None
    return storage.read_json(f"{uri}/{METRICS_FILE}") or {}


def _finish_run(run: Run, storage: Storage, run_metrics: dict[str, Any]) -> RunResult:
    """Point latest.json to this run, unless it failed its gate, and build the RunResult."""
    known = published_metrics(run_metrics)
    metrics = run.reporter.snapshot().metrics.model_copy(update=known)
    outputs = _outputs(run)
    evaluation = _evaluation(run_metrics)
    gate = evaluation.gate if evaluation else None
    if gate is not None and not gate.passed:
        log.warning("%s %s is not updated.", gate.message, LATEST_FILE)
    elif run.uri and run.config.output_uri:
        payload = {"run": run.name, "uri": run.uri, "manifest": outputs.manifest, "metrics": known}
        storage.write_latest(run.config.output_uri, payload)
    if uri := _training_uri(run):
        storage.write_json(uri, {"run": run.name})
    run.reporter.resume({"step_seconds": run_metrics.get("step_seconds", 0.0)})
    best_step, best = run_metrics.get("best_step"), run_metrics.get("best_metric")
    if best_step is not None and best is not None:
        run.reporter.record_best(best_step, str(run.config.early_stopping.metric), best)
    run.reporter.record_step(
        run_metrics.get("steps", 0), run_metrics.get("total_steps", 0), run_metrics.get("epoch") or 0.0
    )
    return RunResult(
        succeeded=True,
        message=_summary(run, metrics, evaluation, run_metrics),
        stopped_early=bool(run_metrics.get("stopped_early")),
        resumed_from=run_metrics.get("resumed_from"),
        progress=run.reporter.snapshot().progress,
        metrics=metrics,
        outputs=outputs,
        evaluation=evaluation,
        dataset=_dataset_state(run_metrics),
        initial_adapter=run_metrics.get("initial_adapter"),
        under_training=run_metrics.get("under_training") or "",
        learning_rate=_learning_rate(run_metrics),
    )


def _evaluation(run_metrics: dict[str, Any]) -> EvaluationReport | None:
    found = run_metrics.get("evaluation")
    return None if found is None else EvaluationReport.model_validate(found)


def _dataset_state(run_metrics: dict[str, Any]) -> DatasetState | None:
    found = run_metrics.get("dataset", {}).get("state")  # a run of an older version has none
    return None if found is None else DatasetState.model_validate(found)


def _learning_rate(run_metrics: dict[str, Any]) -> LearningRateChoice | None:
    found = run_metrics.get("learning_rate_choice")
    return None if found is None else LearningRateChoice.model_validate(found)


def _outputs(run: Run) -> Outputs:
    merged, evaluated = OutputFormat.Merged in run.config.output_formats, run.config.evaluation.enabled
    if run.uri:
        return outputs_below(run.uri, merged=merged, evaluated=evaluated)
    root = run.output_dir
    return Outputs(
        uri=str(root),
        adapter=str(root / ADAPTER_DIR),
        merged=str(root / MERGED_DIR) if merged else None,
        evaluation=str(root / EVALUATION_DIR) if evaluated else None,
    )


def _summary(
    run: Run, metrics: Metrics, evaluation: EvaluationReport | None, run_metrics: dict[str, Any]
) -> str:
    location, dataset = run.uri or str(run.output_dir), run_metrics.get("dataset", {})
    summary = f"Validation loss {metrics.best_eval_loss} (base model: {metrics.base_eval_loss})"
    if evaluation is not None and evaluation.tuned.field_accuracy is not None:
        base, tuned = evaluation.base.field_accuracy, evaluation.tuned.field_accuracy
        summary += f", field accuracy {tuned} (base model: {base})"
    if "train_rows_with_images" in dataset:
        count = image_count(dataset["train_rows_with_images"], dataset["train_rows"], "training")
        summary += f"; {count}"
    if run.config.adapter_name_or_path:
        summary += f"; started from {run_metrics.get('initial_adapter') or 'the base model'}"
    return f"{summary}; result in {location}."
