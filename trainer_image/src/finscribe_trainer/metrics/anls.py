"""ANLS*: how similar two answers are, text by text, with lists matched at their best."""

import math
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein
from scipy.optimize import linear_sum_assignment

THRESHOLD = 0.5
"""Texts less similar than this score 0."""
MAX_ITEM_PAIRS = 40_000
"""Items of one list times items of the other: beyond, no item of such a list counts as matched."""


def anls_star(gold: Any, predicted: Any) -> float:
    """ANLS* of two answers in normal form (None for nothing), from 0 to 1.

    The sum of the similarities of matched texts over the number of texts, matched or not, of both sides. Two texts
    score 1 - Levenshtein distance / length of the longer one, in lower case, and 0 below THRESHOLD. Objects are
    compared key by key; a key that one side lacks scores 0. Lists are matched by the Hungarian algorithm, in any
    order, so that the mean scores of the pairs add up to the most.

    Source: Peer et al. 2024, "ANLS* - A universal document processing metric for generative large language
    models", arXiv 2402.03848; package `anls_star`.
    """
    if gold == predicted:
        return 1.0
    similarity, length = _Comparison().compare(gold, predicted)
    return similarity / length


class _Comparison:
    """One comparison of two answers; remembers the texts that it has compared."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], float] = {}

    def compare(self, gold: Any, predicted: Any) -> tuple[float, int]:
        """Sum of similarities, and the number of texts they are shared by."""
        if isinstance(gold, dict) and isinstance(predicted, dict):
            parts = [
                self.compare(gold.get(key), predicted.get(key)) for key in gold.keys() | predicted.keys()
            ]
            return sum(part[0] for part in parts), sum(part[1] for part in parts)
        if isinstance(gold, list) and isinstance(predicted, list):
            return self._compare_lists(gold, predicted)
        if isinstance(gold, str) and isinstance(predicted, str):
            return self._compare_texts(gold, predicted), 1
        return 0.0, max(_texts(gold), _texts(predicted))

    def _compare_lists(self, gold: list[Any], predicted: list[Any]) -> tuple[float, int]:
        if gold == predicted:
            texts = _texts(gold)
            return float(texts), texts
        if len(gold) * len(predicted) > MAX_ITEM_PAIRS:
            return 0.0, _texts(gold) + _texts(predicted)
        scores = [[self.compare(one, other) for other in predicted] for one in gold]
        means = np.array([[total / length for total, length in row] for row in scores])
        for i, one in enumerate(gold):
            for j, other in enumerate(predicted):
                if one == other:
                    means[i, j] = math.nextafter(
                        1.0, math.inf
                    )  # equal items are matched with each other first
        rows, columns = linear_sum_assignment(means, maximize=True)
        matched = [scores[i][j] for i, j in zip(rows, columns, strict=True)]
        alone = [one for i, one in enumerate(gold) if i not in set(rows)]
        alone += [other for j, other in enumerate(predicted) if j not in set(columns)]
        total = sum(score for score, _ in matched)
        return total, sum(length for _, length in matched) + sum(map(_texts, alone))

    def _compare_texts(self, gold: str, predicted: str) -> float:
        if gold == predicted:
            return 1.0
        key = gold, predicted
        if key not in self._seen:
            self._seen[key] = Levenshtein.normalized_similarity(
                gold.lower(), predicted.lower(), score_cutoff=THRESHOLD
            )
        return self._seen[key]


def _texts(value: Any) -> int:
    """Leaves of a value; nothing at all counts as one."""
    if isinstance(value, dict):
        return sum(map(_texts, value.values()))
    if isinstance(value, list):
        return sum(map(_texts, value))
    return 1
