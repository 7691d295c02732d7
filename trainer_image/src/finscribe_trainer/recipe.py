"""A run from top to bottom: set up, read data, load the model, train, export, publish."""

import logging
from typing import Any

import torch
from peft import PeftModel
from transformers import set_seed

from finscribe_core.constants import MANIFEST_FILE
from finscribe_core.report import Metrics, Outputs, Phase, RunResult, format_metric
from finscribe_core.trainer_config import Method, OutputFormat, TrainerConfig
from finscribe_trainer.arguments import use_bf16
from finscribe_trainer.checkpoints import find_checkpoint
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.selection import Splits, select
from finscribe_trainer.export import (
    ADAPTER_DIR,
    CONFIG_FILE,
    MERGED_DIR,
    METRICS_FILE,
    export_adapter,
    stage_result,
    write_config,
    write_metrics,
)
from finscribe_trainer.families.base import Family
from finscribe_trainer.families.registry import load_family
from finscribe_trainer.families.source import ModelSource
from finscribe_trainer.fit import Trained, fit
from finscribe_trainer.inputs import fetch_model, load_splits
from finscribe_trainer.lora import attach_adapter, quantisation
from finscribe_trainer.merge import export_merged
from finscribe_trainer.run import Run
from finscribe_trainer.storage import Storage

log = logging.getLogger(__name__)


def train(run: Run) -> RunResult:
    """Do the whole run; a run whose result is already in the bucket is done.

    Raises:
        FinscribeError: as its reason says.
        StopRequested: asked to stop outside the training loop.
    """
    config, reporter = run.config, run.reporter
    reporter.phase(Phase.Starting)
    reporter.describe(config.model_name_or_path, config.method)
    storage = Storage.from_config(config.storage, observer=reporter, cancel=run.stop.abandon)
    if run.uri and (figures := _published(run.uri, storage)) is not None:
        log.info("%s is already there: nothing is left to do", run.uri)
        return _finish(run, storage, figures)
    if config.output_uri:
        storage.check_writable(config.output_uri)
    run.output_dir.mkdir(parents=True, exist_ok=True)

    reporter.phase(Phase.Downloading)
    checkpoint = find_checkpoint(run.resume, run.uri, run.output_dir, storage)
    splits = load_splits(config, run.output_dir / "inputs", storage)
    source = fetch_model(config, run.output_dir / "inputs" / "model", storage)

    reporter.phase(Phase.Preparing)
    family = load_family(source)
    splits = select(splits, family, config.training.max_sequence_length)
    model = load_adapted_model(config, source, family)

    trained = fit(run, model, family, splits, checkpoint, storage)

    reporter.phase(Phase.Exporting)
    figures = _figures(run, trained, splits)
    export(run, trained.model, family, source, splits, figures)
    if run.uri:
        reporter.phase(Phase.Uploading)
        staged = run.output_dir / "result"
        stage_result(run.output_dir, staged)
        storage.publish_run(staged, run.uri)
    return _finish(run, storage, figures)


def load_adapted_model(config: TrainerConfig, source: ModelSource, family: Family) -> PeftModel:
    """The base model, frozen, with a fresh adapter; in 4 bits for QLoRA.

    Raises:
        UserError: ModelNotFound, LoraTargetsNotFound, InvalidConfig.
    """
    set_seed(config.training.seed)
    dtype = torch.bfloat16 if use_bf16(config.training) else torch.float32
    options: dict[str, Any] = {"dtype": dtype}
    if config.method is Method.QLoRA:
        options |= quantisation(family, dtype)
    return attach_adapter(family.load_model(source, **options), family, config.lora)


def export(
    run: Run,
    model: PeftModel,
    family: Family,
    source: ModelSource,
    splits: Splits,
    figures: dict[str, Any],
) -> None:
    """Write adapter, merged model if asked for, config and figures below the output folder.

    Raises:
        UserError: MergeMismatch.
    """
    adapter = run.output_dir / ADAPTER_DIR
    export_adapter(model, family, source, adapter)
    if OutputFormat.Merged in run.config.output_formats:
        export_merged(source, family, adapter, run.output_dir / MERGED_DIR, _probes(splits.validation))
    write_config(run.config, run.output_dir / CONFIG_FILE)
    write_metrics(figures, run.output_dir / METRICS_FILE)


def _probes(examples: list[Example]) -> list[Example]:
    """One row with an image and one without, where there are such."""
    first = {bool(example.images): example for example in reversed(examples)}
    return list(first.values())


def _figures(run: Run, trained: Trained, splits: Splits) -> dict[str, Any]:
    state = trained.state
    best = state.best_metric
    if best is not None and trained.base_loss is not None and best >= trained.base_loss:
        log.warning(
            "the tuned model is no better than the base: eval loss %.6g, base %.6g", best, trained.base_loss
        )
    return {
        "run": run.name,
        "model": run.config.model_name_or_path,
        "model_revision": run.config.model_revision,
        "method": str(run.config.method),
        "base_eval_loss": trained.base_loss,
        "best_eval_loss": best,
        "best_step": state.best_global_step,
        "steps": state.global_step,
        "total_steps": state.max_steps,
        "epoch": state.epoch,
        "stopped_early": trained.stopped_early,
        "resumed_from": trained.resumed_from,
        "dataset": {
            "train": run.config.dataset_path,
            "train_rows": len(splits.train),
            "train_sha256": splits.train_fingerprint,
            "validation": run.config.validation_path,
            "validation_rows": len(splits.validation),
            "validation_sha256": splits.validation_fingerprint,
            "rows_left_out": splits.num_left_out,
        },
        "train_history": [entry for entry in state.log_history if "loss" in entry],
        "eval_history": [entry for entry in state.log_history if "eval_loss" in entry],
    }


def _published(uri: str, storage: Storage) -> dict[str, Any] | None:
    """The figures of a run whose result is complete: an attempt before this one ended after publishing."""
    if storage.read_json(f"{uri}/{MANIFEST_FILE}") is None:
        return None
    return storage.read_json(f"{uri}/{METRICS_FILE}") or {}


def _finish(run: Run, storage: Storage, figures: dict[str, Any]) -> RunResult:
    """Let latest.json name this run, and say what came out of it."""
    names = ("train_loss", "eval_loss", "best_eval_loss", "base_eval_loss", "learning_rate")
    known = {name: format_metric(value) for name in names if (value := figures.get(name)) is not None}
    metrics = run.reporter.snapshot().metrics.model_copy(update=known)
    outputs = _outputs(run)
    if run.uri and run.config.output_uri:
        payload = {"run": run.name, "uri": run.uri, "manifest": outputs.manifest, "metrics": known}
        storage.write_latest(run.config.output_uri, payload)
    run.reporter.step(figures.get("steps", 0), figures.get("total_steps", 0), figures.get("epoch") or 0.0)
    return RunResult(
        succeeded=True,
        message=_summary(run, metrics),
        stopped_early=bool(figures.get("stopped_early")),
        resumed_from=figures.get("resumed_from"),
        progress=run.reporter.snapshot().progress,
        metrics=metrics,
        outputs=outputs,
    )


def _outputs(run: Run) -> Outputs:
    formats = run.config.output_formats
    adapter, merged, root = ADAPTER_DIR, MERGED_DIR, str(run.output_dir)
    if run.uri:
        adapter, merged, root = "adapter", "merged", run.uri
    return Outputs(
        uri=root,
        adapter=f"{root}/{adapter}",
        merged=f"{root}/{merged}" if OutputFormat.Merged in formats else None,
        manifest=f"{root}/{MANIFEST_FILE}" if run.uri else None,
    )


def _summary(run: Run, metrics: Metrics) -> str:
    where = run.uri or str(run.output_dir)
    return (
        f"Validation loss {metrics.best_eval_loss} (base model: {metrics.base_eval_loss}); result in {where}."
    )
