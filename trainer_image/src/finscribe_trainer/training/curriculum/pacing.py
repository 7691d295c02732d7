"""Pacing of a curriculum: how many rows are used at each point of the training."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from finscribe_core.trainer_config import CurriculumSpec, DifficultySchedule, Pacing


def threshold(spec: CurriculumSpec, progress: float) -> float:
    """The share of the rows in use.

    With t the progress of the pacing, from 0 to 1, and c the initial threshold, it is

    - linear: c + (1 - c) t
    - root: sqrt(c^2 + (1 - c^2) t), the competence of Platanios et al. 2019 (arXiv:1903.09848)
    - step: c + (1 - c) floor(3 t) / 3

    Args:
        spec: the pacing and its parameters.
        progress: of the training, from 0 to 1.
    """
    start, t = spec.initial_threshold, min(progress / spec.pacing_share, 1.0)
    if spec.pacing is Pacing.root:
        return math.sqrt(start**2 + (1 - start**2) * t)
    if spec.pacing is Pacing.step:
        t = math.floor(3 * t) / 3
    return start + (1 - start) * t


@dataclass(frozen=True)
class Curriculum:
    """Decides which rows are used at which point of the training."""

    spec: CurriculumSpec
    ranked: Sequence[int]
    """Every row, in the order in which they join."""
    num_epochs: float
    """Length of the training."""

    def num_active(self, epochs: float) -> int:
        """How many of the ranked rows are in use after `epochs` epochs; at least one.

        >>> Curriculum(CurriculumSpec(), range(10), num_epochs=5).num_active(2.0)
        7
        """
        share = threshold(self.spec, epochs / self.num_epochs)
        return min(max(math.ceil(share * len(self.ranked) - 1e-9), 1), len(self.ranked))


def ranked(spec: CurriculumSpec, scores: Sequence[float], seed: int) -> list[int]:
    """Rows in the order in which they join; ties, and all rows for `random`, in random order."""
    rows = list(range(len(scores)))
    random.Random(f"{seed}/curriculum").shuffle(rows)  # noqa: S311 - an order, not a secret
    if spec.difficulty_schedule is not DifficultySchedule.random:
        hardest_first = spec.difficulty_schedule is DifficultySchedule.hard_to_easy
        rows.sort(key=lambda row: scores[row], reverse=hardest_first)
    return rows
