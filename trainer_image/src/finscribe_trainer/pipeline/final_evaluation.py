"""Evaluates base and tuned model on the same documents at the end of a run, and applies the gate."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from peft import PeftModel

from finscribe_core.report import DocumentMetrics, EvaluationReport, GateVerdict, format_metric
from finscribe_core.trainer_config import EvaluationSpec
from finscribe_trainer.batches.oom_retry import GpuMemoryError
from finscribe_trainer.data.splits import Splits
from finscribe_trainer.evaluation.compare import Comparison, compare
from finscribe_trainer.evaluation.evaluate import evaluate, inference_settings
from finscribe_trainer.evaluation.gate import evaluate_gate
from finscribe_trainer.evaluation.loading import LoadedModel, describe_model
from finscribe_trainer.evaluation.report.pages import pages_of
from finscribe_trainer.evaluation.report.summary import summary_sentence
from finscribe_trainer.evaluation.report.terminal import summary_lines
from finscribe_trainer.evaluation.report.write import write_reports
from finscribe_trainer.evaluation.results import (
    BASE_RESULTS,
    TUNED_RESULTS,
    DataInfo,
    Results,
    write_results,
)
from finscribe_trainer.evaluation.sampling import sample_evenly
from finscribe_trainer.evaluation.test_set import TestSet
from finscribe_trainer.metrics.corpus import CorpusSummary
from finscribe_trainer.model.source import ModelSource
from finscribe_trainer.training.run import Run

log = logging.getLogger(__name__)

REPORT = "report.md"


def compare_models(
    run: Run,
    tuned: LoadedModel,
    source: ModelSource,
    splits: Splits,
    folder: Path,
    notes_on: Callable[[EvaluationReport], Sequence[str]] = lambda _: (),
) -> EvaluationReport:
    """Evaluate base and tuned model on the test documents, or the validation documents if there are none.

    Args:
        run: the run's config.
        tuned: the base model with the tuned adapter.
        source: the base model's source.
        splits: the documents.
        folder: where both results and the report are written to.
        notes_on: the report's notes about the training, which may depend on the metrics.
    """
    assert isinstance(tuned.model, PeftModel)
    spec, training = run.config.evaluation, run.config.training
    test_set, record_answer = _documents(run, splits), run.reporter.record_answer
    batch_size = training.per_device_eval_batch_size or training.per_device_train_batch_size
    base = replace(tuned, info=describe_model(source, source.name, None))
    settings = inference_settings(tuned, test_set, spec.max_new_tokens)
    log.info("evaluating base and tuned model on %d documents", test_set.info.documents)
    try:
        with tuned.model.disable_adapter():
            before = evaluate(base, test_set, settings, batch_size, record_answer=record_answer)
        after = evaluate(tuned, test_set, settings, batch_size, record_answer=record_answer)
    except GpuMemoryError:
        return _out_of_memory(spec)
    comparison = compare(before, after)
    write_results(before, folder / BASE_RESULTS)
    write_results(after, folder / TUNED_RESULTS)
    report = EvaluationReport(
        documents=test_set.info.documents,
        base=_document_metrics(before.summary),
        tuned=_document_metrics(after.summary),
        gate=evaluate_gate(spec.gate, before.summary, after.summary) if spec.gate else None,
    )
    write_reports(comparison, folder / REPORT, pages_of(test_set.examples), notes_on(report))
    _log_summary(comparison, after)
    return report


def count_answers(run: Run, splits: Splits) -> int:
    """The answers that the comparison generates: two for each document."""
    return 2 * _documents(run, splits).info.documents if run.config.evaluation.enabled else 0


def _out_of_memory(spec: EvaluationSpec) -> EvaluationReport:
    """A report without metrics, with a failed gate if there is one: the run still exports its adapter."""
    message = "The GPU's memory does not suffice to evaluate the test documents one by one."
    log.error("%s No document metrics are reported.", message)
    return EvaluationReport(gate=GateVerdict(passed=False, message=message) if spec.gate else None)


def _documents(run: Run, splits: Splits) -> TestSet:
    config = run.config
    if splits.test is not None:
        assert config.test_path is not None and splits.test_fingerprint is not None
        examples, source, digest = splits.test, config.test_path, splits.test_fingerprint
    else:
        examples = splits.validation
        source = config.validation_path or f"{config.dataset_path} (held out)"
        digest = splits.validation_fingerprint or splits.train_fingerprint
    chosen = sample_evenly(examples, config.evaluation.max_documents)
    return TestSet(chosen, DataInfo(source, digest, len(examples), len(chosen)))


def _document_metrics(summary: CorpusSummary) -> DocumentMetrics:
    known = {name: metric for name, metric in summary.metrics.items() if metric.documents}
    return DocumentMetrics(
        **{
            name: format_metric(known[name].value)  # type: ignore[index] # a DocumentMetric is its name
            for name in DocumentMetrics.model_fields
            if name in known
        }
    )


def _log_summary(comparison: Comparison, tuned: Results) -> None:
    for line in summary_lines(tuned):
        if line:
            log.info("%s", line)
    log.info("%s", summary_sentence(comparison))
