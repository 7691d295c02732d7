"""Tests whether experiments differ significantly from the baseline. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finscribe_core.errors import UserError
from finscribe_core.trainer_config import DocumentMetric
from finscribe_trainer.evaluation.compare import SIGNIFICANCE_LEVEL, check_comparable
from finscribe_trainer.evaluation.report.labels import p_value, points
from finscribe_trainer.evaluation.results import Results
from finscribe_trainer.metrics.corpus import MetricDifference, paired_differences


@dataclass(frozen=True)
class Judgement:
    """Comparison of an experiment's model with the baseline's on the same documents."""

    difference: MetricDifference | None
    """Experiment minus baseline; None where they can't be compared."""
    p_adjusted: float | None
    """p-value adjusted for the number of experiments (Holm 1979)."""
    said: str
    """The result as a phrase."""


def judge(
    base: Results | None, others: Mapping[str, Results | None], metric: DocumentMetric
) -> dict[str, Judgement]:
    """Compare each experiment with the baseline, document by document.

    Args:
        base: evaluation of the baseline's tuned model.
        others: by experiment; None where there was no evaluation.
        metric: the metric to compare.
    """
    found: dict[str, MetricDifference | str] = {
        name: _difference(base, other, metric) for name, other in others.items()
    }
    differences = {name: value for name, value in found.items() if isinstance(value, MetricDifference)}
    adjusted = dict(zip(differences, holm([d.p_value for d in differences.values()]), strict=True))
    return {
        name: Judgement(None, None, value)
        if isinstance(value, str)
        else Judgement(value, adjusted[name], _phrase(value, adjusted[name], len(differences)))
        for name, value in found.items()
    }


def _difference(
    base: Results | None, other: Results | None, metric: DocumentMetric
) -> MetricDifference | str:
    if base is None or other is None:
        return "no documents were evaluated"
    try:
        check_comparable((base.data, base.settings), (other.data, other.settings))
    except UserError as error:
        return f"can't be compared: {error.message}"
    if [record.where for record in base.documents] != [record.where for record in other.documents]:
        return "can't be compared: the test documents differ"
    differences = paired_differences(
        [record.score for record in base.documents], [record.score for record in other.documents]
    )
    return differences.get(metric, "the metric applies to none of the documents")


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values: bounds the probability of any false positive among all comparisons.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    least = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = least
    return adjusted


def fewest_documents(num_comparisons: int) -> int:
    """Number of documents below which no difference can be significant: the p-value of a sign-flip test with
    n documents is at least 2 / 2^n.
    """
    documents = 1
    while num_comparisons * 2 / 2**documents >= SIGNIFICANCE_LEVEL:
        documents += 1
    return documents


def _phrase(difference: MetricDifference, p_adjusted: float, num_comparisons: int) -> str:
    if difference.documents < fewest_documents(num_comparisons):
        return f"{difference.documents} documents are too few for a significance test"
    if difference.value == 0:
        return "no difference"
    by = f"{points(difference.value)} points, {p_value(p_adjusted)}"
    if p_adjusted < SIGNIFICANCE_LEVEL:
        return f"significantly {'better' if difference.value > 0 else 'worse'} ({by})"
    return f"no significant difference ({by})"
