from collections import Counter

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from finscribe_core.trainer_config import CurriculumSpec, DifficultySchedule, Pacing
from finscribe_trainer.training.curriculum.pacing import Curriculum, ranked
from finscribe_trainer.training.sampler import DataOrder

rows = st.integers(1, 60)
seeds = st.integers(0, 2**32 - 1)
specs = st.builds(
    CurriculumSpec,
    difficulty_schedule=st.sampled_from(DifficultySchedule),
    pacing=st.sampled_from(Pacing),
    initial_threshold=st.floats(0.05, 1),
    pacing_share=st.floats(0.05, 1),
)
EASY_TO_HARD = CurriculumSpec(enabled=True)


def with_curriculum(spec: CurriculumSpec, num_rows: int, num_epochs: float, seed: int = 1) -> DataOrder:
    scores = [row / num_rows for row in range(num_rows)]  # row 0 is the easiest
    return DataOrder(num_rows, seed, Curriculum(spec, ranked(spec, scores, seed), num_epochs))


@given(num_rows=rows, seed=seeds, epoch=st.integers(0, 20), grouped=st.booleans(), batch=st.integers(1, 9))
def test_an_epoch_contains_every_row_once(num_rows, seed, epoch, grouped, batch):
    lengths = [(row * 37) % 11 for row in range(num_rows)] if grouped else None
    assert sorted(DataOrder(num_rows, seed, None, lengths, batch).of(epoch)) == list(range(num_rows))


def test_the_order_differs_between_seeds_and_between_epochs():
    orders = {tuple(DataOrder(30, seed).of(epoch)) for seed in range(5) for epoch in range(5)}
    assert len(orders) == 25
    assert DataOrder(30, 1).of(2) == DataOrder(30, 1).of(2)


def test_every_row_is_equally_likely_to_come_first():
    first = Counter(DataOrder(4, seed).of(0)[0] for seed in range(2000))
    assert all(count == pytest.approx(500, abs=80) for count in first.values())


@given(spec=specs, num_rows=rows, epoch=st.integers(0, 3), num_epochs=st.floats(0.5, 6))
def test_a_curriculum_keeps_the_length_of_an_epoch_and_uses_rows_evenly(spec, num_rows, epoch, num_epochs):
    order = with_curriculum(spec, num_rows, num_epochs)
    counts = order.curriculum.num_active
    used = Counter(order.of(epoch))
    assert used.total() == num_rows
    from_the_start = order.curriculum.ranked[: counts(epoch)]
    assert max(used[row] for row in from_the_start) - min(used[row] for row in from_the_start) <= 1
    assert set(used) <= set(order.curriculum.ranked[: counts(epoch + 1)])


@given(spec=specs, num_rows=rows, num_epochs=st.integers(1, 6))
def test_once_all_rows_take_part_an_epoch_contains_every_row_once(spec, num_rows, num_epochs):
    order = with_curriculum(spec, num_rows, num_epochs)
    epoch = next((epoch for epoch in range(num_epochs) if epoch / num_epochs >= spec.pacing_share), None)
    assume(epoch is not None)
    assert sorted(order.of(epoch)) == list(range(num_rows))


@given(spec=specs, num_rows=rows)
def test_the_number_of_rows_that_take_part_never_decreases(spec, num_rows):
    curriculum = with_curriculum(spec, num_rows, 5).curriculum
    counts = [curriculum.num_active(tenth / 10) for tenth in range(51)]
    assert counts == sorted(counts)
    assert counts[0] >= 1
    assert counts[-1] == num_rows


def test_easy_rows_come_first():
    order = with_curriculum(EASY_TO_HARD, 100, 5)
    hardest = [max(order.of(epoch)) for epoch in range(5)]
    assert hardest[0] < 50
    assert hardest == sorted(hardest)
    assert hardest[-1] == 99


def test_hard_rows_come_first_if_configured():
    spec = CurriculumSpec(enabled=True, difficulty_schedule=DifficultySchedule.hard_to_easy)
    assert min(with_curriculum(spec, 100, 5).of(0)) > 50


def test_the_random_schedule_uses_as_many_rows_chosen_at_random():
    spec = CurriculumSpec(enabled=True, difficulty_schedule=DifficultySchedule.random)
    control, easy = with_curriculum(spec, 100, 5), with_curriculum(EASY_TO_HARD, 100, 5)
    assert len(set(control.of(0))) == len(set(easy.of(0)))
    assert 40 < sum(set(control.of(0))) / len(set(control.of(0))) < 60


# The 23 rows of the last step and 74 others compete for the last 20 places: about five get one.
UNUSED = [
    (Pacing.linear, 1, 0),
    (Pacing.root, 1, 0),
    (Pacing.step, 1, pytest.approx(18, abs=5)),
    (Pacing.step, 2, 0),
    (Pacing.linear, 0.5, 50),
]


@pytest.mark.parametrize(("pacing", "num_epochs", "expected"), UNUSED)
def test_rows_that_a_short_training_never_uses_are_counted(pacing, num_epochs, expected):
    spec = CurriculumSpec(enabled=True, pacing=pacing)
    assert with_curriculum(spec, 100, num_epochs).count_unused() == expected


def test_rows_of_a_batch_are_of_similar_length():
    lengths = [(row * 7919) % 1000 for row in range(400)]
    order = DataOrder(400, 1, None, lengths, rows_at_once=8).of(0)
    batches = [[lengths[row] for row in order[i : i + 8]] for i in range(0, 400, 8)]
    padded = sum(8 * max(batch) for batch in batches)
    plain = DataOrder(400, 1).of(0)
    assert padded < 1.1 * sum(lengths)
    assert sum(8 * max(lengths[row] for row in plain[i : i + 8]) for i in range(0, 400, 8)) > 1.6 * sum(
        lengths
    )
    means = [sum(batch) / 8 for batch in batches]
    assert means != sorted(means, reverse=True), "short batches must not all come late"


@given(num_rows=rows, batch=st.integers(1, 9), seed=seeds)
def test_the_longest_row_comes_first_so_that_insufficient_memory_is_detected_early(num_rows, batch, seed):
    assert DataOrder(num_rows, seed, None, range(num_rows), batch).of(0)[0] == num_rows - 1
