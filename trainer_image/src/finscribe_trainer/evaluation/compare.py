"""Compares the results of two models on the same documents, with differences paired by document."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from finscribe_core.errors import FailureReason, UserError
from finscribe_core.trainer_config import DocumentMetric
from finscribe_trainer.evaluation.report.labels import EXTRA_LABELS, LABELS
from finscribe_trainer.evaluation.results import DataInfo, DocumentResult, InferenceSettings, Results
from finscribe_trainer.metrics.corpus import (
    CorpusSummary,
    MetricDifference,
    MetricEstimate,
    paired_differences,
)
from finscribe_trainer.metrics.error_kinds import ErrorCounts

SIGNIFICANCE_LEVEL = 0.05
"""A difference with a p-value below this is called significant."""
MIN_DOCUMENTS = 6
"""With five documents the p-value of a two-sided sign-flip test can't be below 2 / 2^5 = 0.0625."""
PRIMARY_METRIC = DocumentMetric.field_accuracy
"""The metric of the summary sentence, and by which a document counts as improved or regressed."""


@dataclass(frozen=True)
class Pair:
    """One metric of both models."""

    name: str
    base: MetricEstimate
    tuned: MetricEstimate

    @property
    def change(self) -> float:
        """Tuned minus base, from -1 to 1."""
        return self.tuned.value - self.base.value

    @property
    def documents(self) -> str:
        """Number of documents it applies to; both counts where that depends on a model's answers."""
        counts = dict.fromkeys((self.base.documents, self.tuned.documents))
        return " and ".join(map(str, counts))


@dataclass(frozen=True)
class MetricPair(Pair):
    """A document metric of both models, with their difference paired by document."""

    name: DocumentMetric
    difference: MetricDifference


@dataclass(frozen=True)
class Gate(Pair):
    """A gate of the validation: the share of answers that pass it and all gates before it."""

    ceiling: MetricEstimate | None
    """The share of ground truths that pass: the most that a model can reach."""


@dataclass(frozen=True)
class ErrorPair:
    """The errors of both models in one field."""

    name: str
    base: ErrorCounts
    tuned: ErrorCounts


@dataclass(frozen=True)
class DocumentComparison:
    """The answers of both models on one document."""

    base: DocumentResult
    tuned: DocumentResult
    change: float
    """Tuned minus base in field accuracy, from -1 to 1."""

    @property
    def base_accuracy(self) -> float:
        """Field accuracy of the base model's answer, from 0 to 1."""
        return _field_accuracy(self.base)

    @property
    def tuned_accuracy(self) -> float:
        """Field accuracy of the tuned model's answer, from 0 to 1."""
        return _field_accuracy(self.tuned)


def _field_accuracy(result: DocumentResult) -> float:
    value = result.score.metrics[PRIMARY_METRIC].value
    assert value is not None, "a compared document has fields"
    return value


@dataclass(frozen=True)
class Comparison:
    """Results of two models on the same documents, compared."""

    base: Results
    tuned: Results
    metrics: tuple[MetricPair, ...]
    """Metrics that apply to these documents, in the order of LABELS."""
    extra: tuple[Pair, ...]
    """Additional metrics, in the order of EXTRA_LABELS."""
    fields: tuple[Pair, ...]
    """Field accuracy by field, most regressed first."""
    regions: tuple[Pair, ...]
    """Field accuracy by region of the page, most regressed first."""
    gates: tuple[Gate, ...]
    """In the order in which they are applied."""
    errors: tuple[ErrorPair, ...]
    """Errors by field, those with the most errors of the tuned model first; only fields with any."""
    documents: tuple[DocumentComparison, ...]
    """Documents that have fields, most regressed first."""

    @property
    def improved(self) -> int:
        """Number of documents whose field accuracy is higher with the tuned model."""
        return sum(document.change > 0 for document in self.documents)

    @property
    def unchanged(self) -> int:
        """Number of documents whose field accuracy is the same with both models."""
        return sum(document.change == 0 for document in self.documents)

    @property
    def regressed(self) -> int:
        """Number of documents whose field accuracy is lower with the tuned model."""
        return sum(document.change < 0 for document in self.documents)

    def most_regressed(self, count: int) -> tuple[DocumentComparison, ...]:
        """The documents that regressed most, worst first; at most `count`."""
        return tuple(document for document in self.documents[:count] if document.change < 0)


def compare(base: Results, tuned: Results) -> Comparison:
    """Compare the base model's results with the tuned model's.

    Raises:
        UserError: InvalidConfig when documents or settings differ; the message names what.
    """
    check_comparable((base.data, base.settings), (tuned.data, tuned.settings))
    differences = paired_differences(
        [record.score for record in base.documents], [record.score for record in tuned.documents]
    )
    metrics = tuple(
        MetricPair(metric, base.summary.metrics[metric], tuned.summary.metrics[metric], differences[metric])
        for metric in LABELS
        if metric in differences and metric in base.summary.metrics and metric in tuned.summary.metrics
    )
    return Comparison(
        base,
        tuned,
        metrics,
        extra=tuple(
            Pair(name, base.summary.extra[name], tuned.summary.extra[name])
            for name in EXTRA_LABELS
            if name in base.summary.extra and name in tuned.summary.extra
        ),
        fields=_by_change(base.summary.fields, tuned.summary.fields),
        regions=_by_change(base.summary.regions, tuned.summary.regions),
        gates=tuple(
            Gate(name, metric, tuned.summary.gates[name], tuned.ceiling.get(name))
            for name, metric in base.summary.gates.items()
            if name in tuned.summary.gates
        ),
        errors=_compare_errors(base.summary, tuned.summary),
        documents=_compare_documents(base.documents, tuned.documents),
    )


def check_comparable(
    base: tuple[DataInfo, InferenceSettings], tuned: tuple[DataInfo, InferenceSettings]
) -> None:
    """Check that two results are of the same documents and settings.

    Raises:
        UserError: InvalidConfig, naming what differs.
    """
    sides = [
        {"the rows' sha256": data.sha256, "documents": data.documents, **asdict(settings)}
        for data, settings in (base, tuned)
    ]
    different = [
        f"{name} ({sides[0][name]} and {sides[1][name]})"
        for name in sides[0]
        if sides[0][name] != sides[1][name]
    ]
    if different:
        raise UserError(
            FailureReason.InvalidConfig,
            f"The results of base and tuned model can't be compared, they differ in: {', '.join(different)}.",
            "Evaluate both on the same documents with the same options, as `finscribe compare` does when "
            "both are given as models.",
        )


def _by_change(base: Mapping[str, MetricEstimate], tuned: Mapping[str, MetricEstimate]) -> tuple[Pair, ...]:
    pairs = [Pair(name, metric, tuned[name]) for name, metric in base.items() if name in tuned]
    return tuple(sorted(pairs, key=lambda pair: (pair.change, pair.name)))


def _compare_errors(base: CorpusSummary, tuned: CorpusSummary) -> tuple[ErrorPair, ...]:
    nothing = ErrorCounts(0, 0, 0)
    names = dict.fromkeys((*tuned.errors, *base.errors))
    return tuple(
        ErrorPair(name, base.errors.get(name, nothing), tuned.errors.get(name, nothing)) for name in names
    )


def _compare_documents(
    base: Sequence[DocumentResult], tuned: Sequence[DocumentResult]
) -> tuple[DocumentComparison, ...]:
    """Sorted by the change of field accuracy, then of ANLS*, which counts near misses in part."""
    documents = []
    for before, after in zip(base, tuned, strict=True):
        change = _change(before, after, PRIMARY_METRIC)
        if change is not None:
            likeness = _change(before, after, DocumentMetric.anls_star) or 0.0
            documents.append((change, likeness, DocumentComparison(before, after, change)))
    return tuple(document for *_, document in sorted(documents, key=lambda entry: entry[:2]))


def _change(before: DocumentResult, after: DocumentResult, metric: DocumentMetric) -> float | None:
    was, now = (record.score.metrics[metric].value for record in (before, after))
    return None if was is None or now is None else now - was
