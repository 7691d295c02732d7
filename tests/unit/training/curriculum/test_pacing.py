import pytest

from finscribe_core.trainer_config import CurriculumSpec, Pacing
from finscribe_trainer.training.curriculum.pacing import Curriculum, threshold

# From 0.3 to 1 over 80 % of the training; halfway 0.3 + 0.7 / 2, sqrt((0.3^2 + 1) / 2), 0.3 + 0.7 / 3.
THRESHOLDS = [
    (Pacing.linear, [0.3, 0.65, 1, 1]),
    (Pacing.root, [0.3, 0.7382411, 1, 1]),
    (Pacing.step, [0.3, 0.5333333, 1, 1]),
]


@pytest.mark.parametrize(("pacing", "expected"), THRESHOLDS)
def test_the_threshold_follows_its_pacing_function(pacing, expected):
    spec = CurriculumSpec(pacing=pacing, initial_threshold=0.3, pacing_share=0.8)
    assert [threshold(spec, share) for share in (0, 0.4, 0.8, 1)] == pytest.approx(expected)


def test_step_pacing_raises_the_threshold_in_three_equal_steps():
    spec = CurriculumSpec(pacing=Pacing.step, initial_threshold=0.4, pacing_share=0.9)
    levels = [round(threshold(spec, percent / 100), 6) for percent in range(101)]
    assert sorted(set(levels)) == [0.4, 0.6, 0.8, 1.0]
    assert [levels.index(level) for level in (0.4, 0.6, 0.8, 1.0)] == [0, 30, 60, 90]


def test_a_share_of_the_rows_is_rounded_up_to_at_least_one_row():
    spec = CurriculumSpec(initial_threshold=0.3)
    assert [Curriculum(spec, range(rows), 5).num_active(0) for rows in (1, 2, 10, 11)] == [1, 1, 3, 4]
