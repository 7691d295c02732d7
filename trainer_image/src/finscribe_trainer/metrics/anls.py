"""ANLS*: average normalized Levenshtein similarity of two answers, with optimally matched lists."""

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist
from scipy.optimize import linear_sum_assignment

THRESHOLD = 0.5
"""Texts with a lower similarity score 0."""
MAX_ITEM_PAIRS = 250_000
"""Items of one list times items of the other; beyond, no items of these lists are matched."""
MAX_LIST_PAIRS = 5_000
"""Pairs of lists that are matched in one comparison; beyond, no items of further lists are matched."""

Matrix = npt.NDArray[np.float64]
Compare = Callable[[list[Any], list[Any]], tuple[Matrix, Matrix]]


def anls_star(gold: Any, predicted: Any) -> float:
    """ANLS* of two normalized answers (None for an empty one), from 0 to 1.

    The sum of the similarities of matched texts over the number of texts, matched or not, of both sides.
    Two texts score 1 - Levenshtein distance / length of the longer one, in lower case, and 0 below
    THRESHOLD. Objects are compared key by key; a key that one side lacks scores 0. The Hungarian algorithm
    matches the items of lists, in any order, such that the sum of the pairs' mean scores is maximal. Beyond
    MAX_ITEM_PAIRS and MAX_LIST_PAIRS the score is a lower bound.

    Source: Peer et al. 2024, "ANLS* - A universal document processing metric for generative large language
    models", arXiv 2402.03848; package `anls_star`.
    """
    if gold == predicted:
        return 1.0
    totals, lengths = _Comparison().compare([gold], [predicted])
    return float(totals[0, 0] / lengths[0, 0])


class _Comparison:
    """One comparison of two answers, which counts the pairs of lists it has matched."""

    def __init__(self) -> None:
        self._lists = 0

    def compare(self, gold: list[Any], predicted: list[Any]) -> tuple[Matrix, Matrix]:
        """Compare every value with every other: sums of similarities, and numbers of texts.

        Two absent values (None) have 0 texts; a value that is compared with an absent one has its own number.

        Returns:
            two matrices of shape (len(gold), len(predicted)).
        """
        lengths = np.maximum.outer(list(map(_texts, gold)), list(map(_texts, predicted))).astype(np.float64)
        lengths[np.ix_(_where(gold, type(None)), _where(predicted, type(None)))] = 0
        totals = np.zeros_like(lengths)
        comparisons: dict[type, Compare] = {
            str: _compare_texts,
            dict: self._compare_objects,
            list: self._compare_lists,
        }
        for kind, compare in comparisons.items():
            rows, columns = _where(gold, kind), _where(predicted, kind)
            if rows and columns:
                block = np.ix_(rows, columns)
                found = compare([gold[i] for i in rows], [predicted[j] for j in columns])
                totals[block], lengths[block] = found
        return totals, lengths

    def _compare_objects(
        self, gold: list[dict[str, Any]], predicted: list[dict[str, Any]]
    ) -> tuple[Matrix, Matrix]:
        totals, lengths = np.zeros((2, len(gold), len(predicted)))
        for key in dict.fromkeys(key for item in gold + predicted for key in item):
            golds, predictions = ([item.get(key) for item in items] for items in (gold, predicted))
            total, length = self.compare(golds, predictions)
            totals += total
            lengths += length
        return totals, lengths

    def _compare_lists(self, gold: list[list[Any]], predicted: list[list[Any]]) -> tuple[Matrix, Matrix]:
        pairs = np.array([[self._match(one, other) for other in predicted] for one in gold])
        return pairs[..., 0], pairs[..., 1]

    def _match(self, gold: list[Any], predicted: list[Any]) -> tuple[float, float]:
        """Sum of similarities of two optimally matched lists, and the number of texts."""
        alone = float(sum(map(_texts, gold)) + sum(map(_texts, predicted)))
        if gold == predicted:
            return alone / 2, alone / 2
        self._lists += 1
        if len(gold) * len(predicted) > MAX_ITEM_PAIRS or self._lists > MAX_LIST_PAIRS:
            return 0.0, alone
        totals, lengths = self.compare(gold, predicted)
        means = totals / lengths
        golds, predictions = (
            [json.dumps(item, sort_keys=True) for item in items] for items in (gold, predicted)
        )
        means[np.array(golds)[:, None] == np.array(predictions)] = math.nextafter(1.0, math.inf)  # preferred
        rows, columns = linear_sum_assignment(means, maximize=True)
        shared = sum(
            lengths[i, j] - _texts(gold[i]) - _texts(predicted[j]) for i, j in zip(rows, columns, strict=True)
        )
        return float(totals[rows, columns].sum()), float(alone + shared)


def _compare_texts(gold: list[str], predicted: list[str]) -> tuple[Matrix, Matrix]:
    similarities: Matrix = cdist(
        [text.lower() for text in gold],
        [text.lower() for text in predicted],
        scorer=Levenshtein.normalized_similarity,
        score_cutoff=THRESHOLD,
        dtype=np.float64,
    )
    return similarities, np.ones_like(similarities)


def _where(values: list[Any], kind: type) -> list[int]:
    return [index for index, value in enumerate(values) if isinstance(value, kind)]


def _texts(value: Any) -> int:
    """Number of leaves of a value; an absent value counts as one."""
    if isinstance(value, dict):
        return sum(map(_texts, value.values()))
    if isinstance(value, list):
        return sum(map(_texts, value))
    return 1
