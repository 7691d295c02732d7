"""Evaluates base and tuned model on the same documents at the end of a run, and applies the gate."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from peft import PeftModel

from finscribe_core.errors import UserError
from finscribe_core.report import (
    GATE_MESSAGE_LIMIT,
    AnswerErrors,
    DocumentMetrics,
    EvaluationReport,
    GateVerdict,
    format_metric,
)
from finscribe_core.trainer_config import EvaluationSpec, GateReference
from finscribe_trainer.batches.oom_retry import GpuMemoryError
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.splits import Splits
from finscribe_trainer.evaluation.calibration import (
    StraightThrough,
    calibrate,
    straight_through,
    write_calibration,
)
from finscribe_trainer.evaluation.compare import Comparison, compare
from finscribe_trainer.evaluation.evaluate import evaluate, inference_settings
from finscribe_trainer.evaluation.gate import Judgement, Reference, judge
from finscribe_trainer.evaluation.loading import LoadedModel, describe_model
from finscribe_trainer.evaluation.promoted import find_promoted_run, new_answers, stored_answers
from finscribe_trainer.evaluation.report.findings import Findings
from finscribe_trainer.evaluation.report.pages import pages_of
from finscribe_trainer.evaluation.report.summary import summary_sentence
from finscribe_trainer.evaluation.report.terminal import summary_lines
from finscribe_trainer.evaluation.report.training_view import TrainingView
from finscribe_trainer.evaluation.report.write import write_reports
from finscribe_trainer.evaluation.results import (
    BASE_RESULTS,
    PROMOTED_RESULTS,
    TUNED_RESULTS,
    DataInfo,
    Results,
    write_results,
)
from finscribe_trainer.evaluation.sampling import sample_evenly
from finscribe_trainer.evaluation.test_set import TestSet
from finscribe_trainer.metrics.corpus import CorpusSummary
from finscribe_trainer.model.source import ModelSource
from finscribe_trainer.storage import Storage
from finscribe_trainer.training.run import Run

log = logging.getLogger(__name__)

CALIBRATION_DOCUMENTS = 200
"""When the config does not say how many."""
REPORT = "report.md"


_NO_PROMOTED_RUN = "No run is promoted yet, so the base model was compared with."


def compare_models(  # noqa: PLR0913, PLR0917 - the run, its model and documents, and where results are
    run: Run,
    tuned: LoadedModel,
    source: ModelSource,
    splits: Splits,
    folder: Path,
    adapter: Path,
    storage: Storage,
    training_of: Callable[[EvaluationReport], TrainingView],
) -> EvaluationReport:
    """Evaluate base and tuned model on the test documents, or the validation documents if there are none.

    The promoted run's adapter is evaluated, too, if the gate compares with it and its results are of other
    documents.

    Args:
        run: the run's config.
        tuned: the base model with the tuned adapter.
        source: the base model's source.
        splits: the documents.
        folder: where the results and the report are written to.
        adapter: the tuned adapter's folder, in which its calibration is written.
        storage: where the promoted run is.
        training_of: what the report shows of the training, which may depend on the metrics.
    """
    assert isinstance(tuned.model, PeftModel)
    spec, training = run.config.evaluation, run.config.training
    test_set, record_answer = _documents(run, splits), run.reporter.record_answer
    batch_size = training.per_device_eval_batch_size or training.per_device_train_batch_size
    base = replace(tuned, info=describe_model(source, source.name, None))
    settings = inference_settings(tuned, test_set, spec.max_new_tokens)

    def answer(loaded: LoadedModel, documents: TestSet = test_set) -> Results:
        return evaluate(loaded, documents, settings, batch_size, record_answer=record_answer)

    log.info("evaluating base and tuned model on %d documents", test_set.info.documents)
    try:
        with tuned.model.disable_adapter():
            before = answer(base)
        after = answer(tuned)
        reference = _reference(run, before, tuned, source, answer, storage)
        known = _calibration_documents(run, splits)
        calibrated = answer(tuned, known) if known else after
    except GpuMemoryError:
        return _out_of_memory(spec)
    comparison = compare(before, after)
    write_results(before, folder / BASE_RESULTS)
    write_results(after, folder / TUNED_RESULTS)
    if isinstance(reference, Reference) and reference.run:
        write_results(reference.results, folder / PROMOTED_RESULTS)
    calibration = calibrate(calibrated) if spec.calibration_documents != 0 else None
    unattended = straight_through(calibration, after) if calibration else ()
    if calibration:
        write_calibration(calibration, adapter)
    judgement = _judgement(spec, reference, after, unattended)
    errors = after.summary.all_errors
    report = EvaluationReport(
        documents=test_set.info.documents,
        base=_document_metrics(before.summary),
        tuned=_document_metrics(after.summary),
        errors=AnswerErrors(missing=errors.missing, wrong=errors.wrong, invented=errors.invented),
        straight_through_rate=_rate(unattended, 0.95),
        straight_through_rate_99=_rate(unattended, 0.99),
        gate=judgement.verdict if judgement else None,
    )
    view = training_of(report)
    findings = Findings(tuple(view.notes), judgement, calibration, unattended, same_documents=known is None)
    write_reports(comparison, folder / REPORT, pages_of(test_set.examples), findings, view)
    _log_summary(comparison, after)
    return report


def _reference(
    run: Run,
    base: Results,
    tuned: LoadedModel,
    source: ModelSource,
    answer: Callable[[LoadedModel], Results],
    storage: Storage,
) -> Reference | GateVerdict:
    """What the gate compares with; a failed verdict if the promoted run can't be compared with."""
    gate = run.config.evaluation.gate
    if gate is None or gate.against is GateReference.Base:
        return Reference(base)
    name: str | None = None
    folder = run.output_dir / "inputs" / "promoted"
    try:
        promoted = find_promoted_run(run.config.output_uri, storage)
        if promoted is None:
            return Reference(base, note=_NO_PROMOTED_RUN)
        name = promoted.name
        results = stored_answers(promoted, base.data, base.settings, folder, storage)
        if results is None:
            results = new_answers(promoted, tuned, source, answer, folder, storage)
        return Reference(results, promoted.name)
    except GpuMemoryError:
        raise
    except UserError as error:
        which = f"The promoted run {name}" if name else "The promoted run"
        message = f"{which} can't be compared with: {error.message}"
        return GateVerdict(passed=False, message=message[:GATE_MESSAGE_LIMIT], against=name)


def _judgement(
    spec: EvaluationSpec,
    reference: Reference | GateVerdict,
    tuned: Results,
    unattended: tuple[StraightThrough, ...],
) -> Judgement | None:
    if spec.gate is None:
        return None
    if isinstance(reference, GateVerdict):
        return Judgement(reference)
    return judge(spec.gate, reference, tuned, unattended[0] if unattended else None)


def _calibration_documents(run: Run, splits: Splits) -> TestSet | None:
    """The validation documents to calibrate on; None for those that are compared, or for none."""
    count = run.config.evaluation.calibration_documents
    if splits.test is None or count == 0:
        return None
    return _validation_documents(run, splits, CALIBRATION_DOCUMENTS if count is None else count)


def _rate(unattended: tuple[StraightThrough, ...], precision: float) -> str | None:
    """The share of the documents that need no human at a precision; None without a calibration."""
    found = [one for one in unattended if one.precision == precision]
    return format_metric(found[0].accepted.value) if found else None


def count_answers(run: Run, splits: Splits) -> int:
    """The answers that are generated after the training: two for each document that is compared, and one for
    each that only the confidence is calibrated on.
    """
    if not run.config.evaluation.enabled:
        return 0
    known = _calibration_documents(run, splits)
    return 2 * _documents(run, splits).info.documents + (known.info.documents if known else 0)


def _out_of_memory(spec: EvaluationSpec) -> EvaluationReport:
    """A report without metrics, with a failed gate if there is one: the run still exports its adapter."""
    message = "The GPU's memory does not suffice to evaluate the test documents one by one."
    log.error("%s No document metrics are reported.", message)
    return EvaluationReport(gate=GateVerdict(passed=False, message=message) if spec.gate else None)


def _documents(run: Run, splits: Splits) -> TestSet:
    config, count = run.config, run.config.evaluation.max_documents
    if splits.test is None:
        return _validation_documents(run, splits, count)
    assert config.test_path is not None and splits.test_fingerprint is not None
    return _sample(splits.test, count, config.test_path, splits.test_fingerprint)


def _validation_documents(run: Run, splits: Splits, count: int) -> TestSet:
    source = run.config.validation_path or f"{run.config.dataset_path} (held out)"
    return _sample(
        splits.validation, count, source, splits.validation_fingerprint or splits.train_fingerprint
    )


def _sample(examples: Sequence[Example], count: int, source: str, digest: str) -> TestSet:
    chosen = sample_evenly(examples, count)
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
