"""Aggregates documents' scores to corpus metrics with confidence intervals, and compares two models."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from finscribe_core.trainer_config import DocumentMetric
from finscribe_trainer.metrics.error_kinds import ErrorCounts, sum_errors
from finscribe_trainer.metrics.ratio import NOT_APPLICABLE, Ratio
from finscribe_trainer.metrics.score import DocumentScore

Matrix = npt.NDArray[np.float64]
_BLOCK = 4_000_000
"""Elements of a block of resampling weights: resamples times documents."""


@dataclass(frozen=True)
class MetricEstimate:
    """A metric's value over a corpus with its 95 % confidence interval, each from 0 to 1."""

    value: float
    low: float
    high: float
    documents: int
    """Number of documents that the metric applies to."""


@dataclass(frozen=True)
class MetricDifference:
    """Tuned minus base on the same documents with its 95 % confidence interval, each from -1 to 1."""

    value: float
    low: float
    high: float
    p_value: float
    """Two-sided: the probability of a difference at least this large if both models are equally good."""
    documents: int
    """Number of documents that the metric applies to."""


@dataclass(frozen=True)
class CorpusSummary:
    """Every metric of a corpus; metrics that apply to no document are omitted."""

    documents: int
    metrics: dict[DocumentMetric, MetricEstimate]
    fields: dict[str, MetricEstimate]
    regions: dict[str, MetricEstimate]
    gates: dict[str, MetricEstimate]
    extra: dict[str, MetricEstimate]
    errors: dict[str, ErrorCounts]
    """Numbers of errors by kind, of each field that has any; the field with most errors first."""

    @property
    def all_errors(self) -> ErrorCounts:
        """The errors of all fields."""
        return sum_errors(self.errors.values())


def aggregate_scores(
    scores: Sequence[DocumentScore], *, resamples: int = 1000, seed: int = 0
) -> CorpusSummary:
    """Aggregate documents' scores: each metric is the sum of numerators over the sum of denominators.

    Intervals are percentile bootstraps over documents (Efron 1979): documents are drawn with replacement,
    as many as there are, `resamples` times. The same seed gives the same intervals.
    """
    parts: dict[str, list[dict[Any, Ratio]]] = {
        "metrics": [dict(score.metrics) for score in scores],
        "fields": [score.fields for score in scores],
        "regions": [score.regions for score in scores],
        "gates": [
            {name: Ratio(passed, 1) for name, passed in score.gates.items() if passed is not None}
            for score in scores
        ],
        "extra": [score.extra for score in scores],
    }
    keys = [(part, name) for part, rows in parts.items() for name in dict.fromkeys(chain(*rows))]
    numerators, denominators = (
        np.array(
            [row.get(name, NOT_APPLICABLE)[side] for part, name in keys for row in parts[part]], np.float64
        )
        .reshape(len(keys), len(scores))
        .T
        for side in (0, 1)
    )
    estimates: dict[str, dict[Any, MetricEstimate]] = {part: {} for part in parts}
    for key, estimate in zip(keys, _estimates(numerators, denominators, resamples, seed), strict=True):
        if estimate.documents:
            estimates[key[0]][key[1]] = estimate
    return CorpusSummary(len(scores), **estimates, errors=_errors_by_field(scores))


def _errors_by_field(scores: Sequence[DocumentScore]) -> dict[str, ErrorCounts]:
    counts: dict[str, list[ErrorCounts]] = defaultdict(list)
    for score in scores:
        for name, kinds in score.errors.items():
            counts[name].append(kinds)
    found = {name: sum_errors(kinds) for name, kinds in counts.items()}
    return dict(sorted(found.items(), key=lambda item: (-sum(item[1]), item[0])))


def paired_differences(
    base: Sequence[DocumentScore],
    tuned: Sequence[DocumentScore],
    *,
    resamples: int = 1000,
    permutations: int = 10_000,
    seed: int = 0,
) -> dict[DocumentMetric, MetricDifference]:
    """Tuned minus base of each metric, on the same documents in the same order.

    Intervals are percentile bootstraps over documents, both models' scores of a document drawn together.
    p-values come from a permutation test (Fisher 1935) that swaps each document's two scores or not: at
    random, or exactly (all permutations) where there are no more than `permutations`.

    Raises:
        ValueError: the two have different lengths.
    """
    if len(base) != len(tuned):
        raise ValueError(f"{len(base)} documents of the base model, {len(tuned)} of the tuned one")
    sides = [_metric_arrays(scores) for scores in (base, tuned)]
    (top_a, low_a), (top_b, low_b) = sides
    applies = (low_a > 0) | (low_b > 0)
    values = _ratio(top_b.sum(0), low_b.sum(0)) - _ratio(top_a.sum(0), low_a.sum(0))
    drawn = np.concatenate(
        [
            _ratio(weights @ top_b, weights @ low_b) - _ratio(weights @ top_a, weights @ low_a)
            for weights in _resamples(len(base), resamples, seed)
        ]
    )
    extreme, total = np.zeros(len(values)), 0
    for swaps in _swaps(len(base), permutations, seed):
        swapped_a = _ratio(top_a.sum(0) + swaps @ (top_b - top_a), low_a.sum(0) + swaps @ (low_b - low_a))
        swapped_b = _ratio(top_b.sum(0) + swaps @ (top_a - top_b), low_b.sum(0) + swaps @ (low_a - low_b))
        extreme += (np.abs(swapped_b - swapped_a) >= np.abs(values) - 1e-12).sum(0)
        total += len(swaps)
    if total != 2 ** len(base):
        extreme, total = extreme + 1, total + 1  # the observed arrangement is one of them
    lows, highs = _interval(drawn)
    return {
        metric: MetricDifference(
            float(values[i]),
            float(lows[i]),
            float(highs[i]),
            float(extreme[i] / total),
            int(applies[:, i].sum()),
        )
        for i, metric in enumerate(DocumentMetric)
        if applies[:, i].any()
    }


def _metric_arrays(scores: Sequence[DocumentScore]) -> tuple[Matrix, Matrix]:
    """Numerators and denominators, each of shape (documents, metrics)."""
    ratios = np.array([[score.metrics[metric] for metric in DocumentMetric] for score in scores], np.float64)
    ratios = ratios.reshape(len(scores), len(DocumentMetric), 2)
    return ratios[..., 0], ratios[..., 1]


def _estimates(numerators: Matrix, denominators: Matrix, resamples: int, seed: int) -> list[MetricEstimate]:
    """One estimate for each column of two matrices of shape (documents, metrics)."""
    values = _ratio(numerators.sum(0), denominators.sum(0))
    drawn = [
        _ratio(weights @ numerators, weights @ denominators)
        for weights in _resamples(len(numerators), resamples, seed)
    ]
    lows, highs = _interval(np.concatenate(drawn)) if drawn else (values, values)
    counts = (denominators > 0).sum(0)
    return [
        MetricEstimate(float(value), float(low), float(high), int(count))
        for value, low, high, count in zip(values, lows, highs, counts, strict=True)
    ]


def _ratio(numerators: Matrix, denominators: Matrix) -> Matrix:
    """Quotients; NaN where the denominator is 0."""
    return np.divide(numerators, denominators, out=np.full_like(numerators, np.nan), where=denominators > 0)


def _interval(drawn: Matrix) -> tuple[Matrix, Matrix]:
    """The 2.5 and 97.5 percentiles of each column, ignoring NaN."""
    lows, highs = np.full(drawn.shape[1], np.nan), np.full(drawn.shape[1], np.nan)
    some = ~np.isnan(drawn).all(0)
    if some.any():
        lows[some], highs[some] = np.nanpercentile(drawn[:, some], (2.5, 97.5), axis=0)
    return lows, highs


def _resamples(documents: int, resamples: int, seed: int) -> Iterator[Matrix]:
    """How often each document is drawn, in blocks of shape (resamples, documents)."""
    random = np.random.default_rng(seed)
    for count in _blocks(documents, resamples):
        yield random.multinomial(documents, np.full(documents, 1 / documents), size=count).astype(np.float64)


def _swaps(documents: int, permutations: int, seed: int) -> Iterator[Matrix]:
    """Which documents are swapped (1) or not (0), in blocks of shape (permutations, documents)."""
    if documents < 63 and 2**documents <= permutations:
        ways = np.arange(2**documents)[:, None] >> np.arange(documents)
        yield (ways & 1).astype(np.float64)
        return
    random = np.random.default_rng(seed)
    for count in _blocks(documents, permutations):
        yield random.integers(0, 2, (count, documents), np.int8).astype(np.float64)


def _blocks(documents: int, rounds: int) -> Iterator[int]:
    step = max(1, _BLOCK // max(1, documents))
    while documents and rounds > 0:
        yield min(step, rounds)
        rounds -= step
