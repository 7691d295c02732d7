"""Figures of answers by the public implementations, and how they are asked."""

import warnings
from typing import Any

from anls_star import anls_score

from tests.reference.donut.util import JSONParseEvaluator


def donut_f1(gold: Any, predicted: Any) -> float:
    """Donut's F1 of one document."""
    return float(JSONParseEvaluator().cal_f1([predicted], [gold]))


def donut_nted(gold: Any, predicted: Any) -> float:
    """Donut's accuracy by tree edit distance."""
    return float(JSONParseEvaluator().cal_acc(predicted, gold))


def official_anls(gold: Any, predicted: Any) -> float:
    """ANLS* by its authors."""
    with warnings.catch_warnings(action="ignore"):
        return float(anls_score(gold, predicted, return_gt=False, return_key_scores=False))
