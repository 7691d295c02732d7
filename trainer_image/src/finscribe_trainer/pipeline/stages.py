"""Prepares model and rows, trains, exports the adapter and the merged model, and evaluates."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from peft import PeftModel, set_peft_model_state_dict

from finscribe_core.report import EvaluationReport, Phase
from finscribe_core.trainer_config import Method, OutputFormat, TrainerConfig
from finscribe_trainer.data.image_count import with_images
from finscribe_trainer.data.splits import Splits
from finscribe_trainer.evaluation.loading import LoadedModel, describe_model
from finscribe_trainer.evaluation.report.training_view import TrainingView, view_training
from finscribe_trainer.model.adapter import adapter_weights
from finscribe_trainer.model.families.base import Family
from finscribe_trainer.model.initial_adapter import InitialAdapter
from finscribe_trainer.model.loading import load_adapted_model
from finscribe_trainer.model.merge import choose_probes, export_merged
from finscribe_trainer.model.source import ModelSource
from finscribe_trainer.pipeline.export import export_adapter, write_metrics
from finscribe_trainer.pipeline.final_evaluation import compare_models, count_answers
from finscribe_trainer.pipeline.model_card.usage import shared_prompt, usage_for
from finscribe_trainer.pipeline.model_card.write import write_cards
from finscribe_trainer.pipeline.outcome import in_spelling_of_the_file
from finscribe_trainer.pipeline.rows_of_model import load_family_and_rows
from finscribe_trainer.reporting.eta import Plan
from finscribe_trainer.runtime.output_layout import (
    ADAPTER_DIR,
    EVALUATION_DIR,
    MERGED_DIR,
    METRICS_FILE,
    RESULT_NAMES,
)
from finscribe_trainer.runtime.outputs import replace_together
from finscribe_trainer.runtime.versions import package_versions
from finscribe_trainer.storage import Storage
from finscribe_trainer.training.arguments import steps_per_epoch
from finscribe_trainer.training.callbacks import BASE_LOSS
from finscribe_trainer.training.checkpoints import Checkpoint
from finscribe_trainer.training.fit import Trained, fit
from finscribe_trainer.training.preflight.preflight import preflight
from finscribe_trainer.training.range_test.choose import choose_learning_rate
from finscribe_trainer.training.run import Run
from finscribe_trainer.training.under_training import find_under_training

log = logging.getLogger(__name__)


def train_and_export(
    run: Run,
    source: ModelSource,
    splits: Splits,
    start: Checkpoint | InitialAdapter | None,
    storage: Storage,
) -> dict[str, Any] | None:
    """Train on the splits, and write the exports to the output folder.

    Args:
        run: the run.
        source: the base model.
        splits: the rows.
        start: what the training resumes from, or the adapter that it starts from; None for a new adapter.
        storage: for the checkpoints, and the promoted run.

    Returns:
        the run's metrics; None in every process but the first, which return after the training.

    Raises:
        FinscribeError: a user error or a transient error.
    """
    run.reporter.set_phase(Phase.Preparing)
    checkpoint = start if isinstance(start, Checkpoint) else None
    adapter = start.folder if isinstance(start, InitialAdapter) else None
    family, splits, model = run.processes.run_on_all(lambda: _prepare(run.config, source, splits, adapter))
    run.reporter.set_plan(_plan(run, splits, model))
    if run.config.preflight.enabled and checkpoint is None:
        run.processes.run_on_all(lambda: preflight(model, family, splits.train))
    run = choose_learning_rate(run, model, family, splits, checkpoint)
    trained = fit(run, model, family, splits, checkpoint, storage)
    if not run.processes.is_main:
        return None
    if run.config.training.fsdp and run.processes.world_size > 1:
        trained = replace(trained, model=_unsharded(run.config, source, family, trained.model))

    with replace_together(run.output_dir, last=METRICS_FILE, outdated=RESULT_NAMES) as folder:
        metrics = _write_result(run, trained, family, source, splits, folder, storage)
    log.info("result written to %s: %s", run.output_dir, ", ".join(_written(run.output_dir)))
    return metrics


def _plan(run: Run, splits: Splits, model: PeftModel) -> Plan:
    """What the run does besides its steps."""
    spec = run.config.training
    merges = OutputFormat.Merged in run.config.output_formats
    base: Any = model.get_base_model()
    size = int(base.get_memory_footprint()) if merges and run.uri else 0
    return Plan(
        eval_steps=spec.eval_steps or steps_per_epoch(spec, len(splits.train), run.processes.world_size),
        answers=count_answers(run, splits),
        merges=int(merges),
        upload_bytes=size,
    )


def _write_result(  # noqa: PLR0913, PLR0917 - what the run has led to, and where it is written to
    run: Run,
    trained: Trained,
    family: Family,
    source: ModelSource,
    splits: Splits,
    folder: Path,
    storage: Storage,
) -> dict[str, Any]:
    """Write everything that the run results in to `folder`; returns the run's metrics."""
    run.reporter.set_phase(Phase.Exporting)
    adapter = export(run, trained.model, family, source, splits, folder)
    metrics = _run_metrics(run, source, trained, splits)
    if run.config.evaluation.enabled:
        run.reporter.set_phase(Phase.Comparing)
        info = describe_model(source, f"{run.name or 'tuned'} (adapter)", adapter)
        tuned = LoadedModel(trained.model, family, info, trained.features)

        def training_of(report: EvaluationReport) -> TrainingView:
            doubt = _under_training(run, _with_evaluation(metrics, report))
            return view_training(run.config, metrics, [doubt] if doubt else [])

        report = compare_models(
            run, tuned, source, splits, folder / EVALUATION_DIR, adapter, storage, training_of
        )
        metrics = _with_evaluation(metrics, report)
    metrics["under_training"] = _under_training(run, metrics)
    if metrics["under_training"]:
        log.warning("%s", metrics["under_training"])
    write_metrics(metrics, folder / METRICS_FILE)
    in_4_bits = run.config.method is Method.QLoRA
    usage = usage_for(family, source, shared_prompt(splits.train), quantized=in_4_bits)
    write_cards(folder, run.name or run.output_dir.resolve().name, run.config, metrics, usage)
    return metrics


def _with_evaluation(metrics: dict[str, Any], report: EvaluationReport) -> dict[str, Any]:
    return {**metrics, "evaluation": report.model_dump(mode="json", exclude_none=True)}


def _under_training(run: Run, metrics: dict[str, Any]) -> str | None:
    doubt = find_under_training(run.config, metrics)
    return in_spelling_of_the_file(doubt) if doubt else None


def _written(output_dir: Path) -> list[str]:
    return [name for name in RESULT_NAMES if (output_dir / name).exists()]


def _prepare(
    config: TrainerConfig, source: ModelSource, splits: Splits, adapter: Path | None
) -> tuple[Family, Splits, PeftModel]:
    family, chosen = load_family_and_rows(config, source, splits)
    return family, chosen, load_adapted_model(config, source, family, adapter)


def _unsharded(
    config: TrainerConfig, source: ModelSource, family: Family, shared_out: PeftModel
) -> PeftModel:
    """Reload the model with the trained adapter: gathering its shards would need the other processes."""
    whole = load_adapted_model(config, source, family).to(shared_out.device)
    set_peft_model_state_dict(whole, adapter_weights(shared_out))
    return whole


def export(
    run: Run,
    model: PeftModel,
    family: Family,
    source: ModelSource,
    splits: Splits,
    folder: Path,
) -> Path:
    """Write the adapter, and the merged model if configured, to folders below `folder`.

    Returns:
        the adapter's folder.

    Raises:
        UserError: MergeMismatch.
    """
    adapter = folder / ADAPTER_DIR
    export_adapter(model, family, adapter)
    if OutputFormat.Merged in run.config.output_formats:
        probes = choose_probes(splits.validation, family)
        export_merged(source, family, adapter, folder / MERGED_DIR, probes)
    return adapter


def _run_metrics(run: Run, source: ModelSource, trained: Trained, splits: Splits) -> dict[str, Any]:
    state, reported = trained.state, run.reporter.snapshot()
    dataset_state, choice = reported.dataset, reported.learning_rate
    best, base = trained.best_loss, trained.base.get(BASE_LOSS)
    if best is not None and base is not None and best >= base:
        log.warning(
            "the tuned model is not better than the base model: eval loss %.6g, base %.6g", best, base
        )
    return {
        "run": run.name,
        "model": run.config.model_name or run.config.model_name_or_path,
        "model_revision": source.revision,
        "method": str(run.config.method),
        "initial_adapter": run.initial_adapter,
        "learning_rate_choice": choice.model_dump(mode="json", exclude_none=True) if choice else None,
        "range_test": run.range_test,
        "base_eval_loss": base,
        "best_eval_loss": best,
        "best_step": state.best_global_step,
        "best_metric": state.best_metric,
        "steps": state.global_step,
        "total_steps": state.max_steps,
        "epoch": state.epoch,
        "stopped_early": trained.stopped_early,
        "resumed_from": trained.resumed_from,
        "step_seconds": run.reporter.measured()["step_seconds"],
        "dataset": {
            "train": run.config.dataset_path,
            "train_rows": len(splits.train),
            "train_rows_with_images": with_images(splits.train),
            "train_sha256": splits.train_fingerprint,
            "validation": run.config.validation_path,
            "validation_rows": len(splits.validation),
            "validation_rows_with_images": with_images(splits.validation),
            "validation_sha256": splits.validation_fingerprint,
            "rows_left_out": splits.num_excluded,
            "state": dataset_state.model_dump(mode="json", exclude_none=True) if dataset_state else None,
        },
        "train_history": [entry for entry in state.log_history if "loss" in entry],
        "eval_history": [entry for entry in state.log_history if "eval_loss" in entry],
        "versions": package_versions(),
    }
