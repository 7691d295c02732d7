"""Runs the stages in order: set up, load data, fetch the model, train and export, publish."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finscribe_core.constants import LATEST_FILE, MANIFEST_FILE
from finscribe_core.errors import disk_errors_as_finscribe_errors
from finscribe_core.report import EvaluationReport, Metrics, Outputs, Phase, RunResult, format_metric
from finscribe_core.trainer_config import OutputFormat
from finscribe_trainer.data.image_count import image_count
from finscribe_trainer.data.splits import Splits
from finscribe_trainer.model.source import ModelSource
from finscribe_trainer.pipeline.export import stage_result, write_config
from finscribe_trainer.pipeline.inputs import fetch_model, load_splits
from finscribe_trainer.runtime.output_layout import (
    ADAPTER_DIR,
    CONFIG_FILE,
    EVALUATION_DIR,
    MERGED_DIR,
    METRICS_FILE,
)
from finscribe_trainer.storage import Storage
from finscribe_trainer.training.checkpoints import Checkpoint, find_checkpoint
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
    reporter.set_run_info(config.model_name_or_path, config.method)
    storage = Storage.from_config(config.storage, observer=reporter, cancel=run.stop.cancel_transfers)
    if (run_metrics := processes.broadcast_from_main(lambda: _prepare_outputs(run, storage))) is not None:
        return _finish_run(run, storage, run_metrics) if processes.is_main else None

    reporter.set_phase(Phase.Downloading)
    inputs = processes.once_per_node(lambda: _fetch_inputs(run, storage), _Inputs)
    checkpoint, splits, source = inputs.checkpoint, inputs.splits, inputs.source

    # torch and transformers take seconds to import: errors in data or URIs are reported before.
    from finscribe_trainer.pipeline.stages import train_and_export  # noqa: PLC0415
    from finscribe_trainer.training.resume import check_adapter_settings  # noqa: PLC0415

    def save_config() -> None:
        # Not earlier: a rejected run keeps the config of the run before. Not later: a killed run needs one.
        if checkpoint:
            check_adapter_settings(checkpoint, config)
        write_config(config, run.output_dir / CONFIG_FILE)

    processes.broadcast_from_main(save_config)
    run_metrics = train_and_export(run, source, splits, checkpoint, storage)
    if run_metrics is None:
        return None
    if run.uri:
        reporter.set_phase(Phase.Uploading)
        staged = run.output_dir / "result"
        stage_result(run.output_dir, staged)
        storage.publish_run(staged, run.uri)
    return _finish_run(run, storage, run_metrics)


def _prepare_outputs(run: Run, storage: Storage) -> dict[str, Any] | None:
    """Check that results can be written; returns the metrics of a run that is already published."""
    if run.uri and (run_metrics := _published_metrics(run.uri, storage)) is not None:
        log.info("%s is already published: nothing to do", run.uri)
        return run_metrics
    check_curves(run.config)
    if run.config.output_uri:
        storage.check_writable(run.config.output_uri)
    _create_output_dir(run.output_dir)
    return None


@dataclass(frozen=True)
class _Inputs:
    """What a run starts from, on this machine."""

    checkpoint: Checkpoint | None
    splits: Splits
    source: ModelSource


def _fetch_inputs(run: Run, storage: Storage) -> _Inputs:
    """Download checkpoint, data and base model, and check every row."""
    config, inputs = run.config, run.output_dir / "inputs"
    _create_output_dir(run.output_dir)
    begun = run.uri if run.may_have_begun else None
    checkpoint = find_checkpoint(run.resume, begun, run.output_dir, storage)
    splits = load_splits(config, inputs, storage)
    return _Inputs(checkpoint, splits, fetch_model(config, inputs / "model", storage))


def _create_output_dir(folder: Path) -> None:
    """Create the output folder.

    Raises:
        UserError: InvalidConfig when its path can't be used.
    """
    with disk_errors_as_finscribe_errors():
        folder.mkdir(parents=True, exist_ok=True)


def _published_metrics(uri: str, storage: Storage) -> dict[str, Any] | None:
    """The metrics of a run whose result is complete in the bucket, from an earlier attempt; else None."""
    if storage.read_json(f"{uri}/{MANIFEST_FILE}") is None:
        return None
    return storage.read_json(f"{uri}/{METRICS_FILE}") or {}


def _finish_run(run: Run, storage: Storage, run_metrics: dict[str, Any]) -> RunResult:
    """Point latest.json to this run, unless it failed its gate, and build the RunResult."""
    names = ("train_loss", "eval_loss", "best_eval_loss", "base_eval_loss", "learning_rate")
    known = {name: format_metric(value) for name in names if (value := run_metrics.get(name)) is not None}
    metrics = run.reporter.snapshot().metrics.model_copy(update=known)
    outputs = _outputs(run)
    evaluation = _evaluation(run_metrics)
    gate = evaluation.gate if evaluation else None
    if gate is not None and not gate.passed:
        log.warning("%s %s is not updated.", gate.message, LATEST_FILE)
    elif run.uri and run.config.output_uri:
        payload = {"run": run.name, "uri": run.uri, "manifest": outputs.manifest, "metrics": known}
        storage.write_latest(run.config.output_uri, payload)
    run.reporter.record_step(
        run_metrics.get("steps", 0), run_metrics.get("total_steps", 0), run_metrics.get("epoch") or 0.0
    )
    return RunResult(
        succeeded=True,
        message=_summary(run, metrics, evaluation, run_metrics.get("dataset", {})),
        stopped_early=bool(run_metrics.get("stopped_early")),
        resumed_from=run_metrics.get("resumed_from"),
        progress=run.reporter.snapshot().progress,
        metrics=metrics,
        outputs=outputs,
        evaluation=evaluation,
    )


def _evaluation(run_metrics: dict[str, Any]) -> EvaluationReport | None:
    found = run_metrics.get("evaluation")
    return None if found is None else EvaluationReport.model_validate(found)


def _outputs(run: Run) -> Outputs:
    formats, evaluated = run.config.output_formats, run.config.evaluation.enabled
    adapter, merged, root = ADAPTER_DIR, MERGED_DIR, str(run.output_dir)
    if run.uri:
        adapter, merged, root = "adapter", "merged", run.uri
    return Outputs(
        uri=root,
        adapter=f"{root}/{adapter}",
        merged=f"{root}/{merged}" if OutputFormat.Merged in formats else None,
        evaluation=f"{root}/{EVALUATION_DIR}" if evaluated else None,
        manifest=f"{root}/{MANIFEST_FILE}" if run.uri else None,
    )


def _summary(run: Run, metrics: Metrics, evaluation: EvaluationReport | None, dataset: dict[str, Any]) -> str:
    location = run.uri or str(run.output_dir)
    summary = f"Validation loss {metrics.best_eval_loss} (base model: {metrics.base_eval_loss})"
    if evaluation is not None and evaluation.tuned.field_accuracy is not None:
        base, tuned = evaluation.base.field_accuracy, evaluation.tuned.field_accuracy
        summary += f", field accuracy {tuned} (base model: {base})"
    if "train_rows_with_images" in dataset:
        count = image_count(dataset["train_rows_with_images"], dataset["train_rows"], "training")
        summary += f"; {count}"
    return f"{summary}; result in {location}."
