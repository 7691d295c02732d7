import math

import pytest

from finscribe_core.trainer_config import EarlyStoppingSpec
from finscribe_trainer.callbacks import EarlyStopping

CASES = {
    "falls on": ([3.0, 2.0, 1.0], 2, 0.0, None),
    "stops after patience evaluations": ([2.0, 2.1, 2.2, 1.0], 2, 0.0, 2),
    "an improvement starts the count anew": ([2.0, 2.1, 1.9, 2.0, 2.0], 2, 0.0, 4),
    "too small a fall is none": ([2.0, 1.95, 1.92], 2, 0.1, 2),
    "small falls add up": ([2.0, 1.95, 1.85, 1.8, 1.7], 2, 0.1, None),
    "a fall of exactly min_delta is none": ([2.0, 1.5], 1, 0.5, 1),
    "patience of one": ([2.0, 2.0], 1, 0.0, 1),
}


def stopped_at(stopping: EarlyStopping, losses: list[float]) -> int | None:
    for index, loss in enumerate(losses):
        stopping.observe(loss)
        if stopping.triggered:
            return index
    return None


@pytest.mark.parametrize(("losses", "patience", "min_delta", "expected"), CASES.values(), ids=CASES)
def test_training_stops_when_the_validation_loss_no_longer_falls(losses, patience, min_delta, expected):
    spec = EarlyStoppingSpec(patience=patience, min_delta=min_delta)
    assert stopped_at(EarlyStopping(spec), losses) == expected


def test_switched_off_it_never_stops():
    spec = EarlyStoppingSpec(enabled=False, patience=1)
    assert stopped_at(EarlyStopping(spec), [1.0, 2.0, 3.0]) is None


def test_the_count_goes_on_after_a_resume_with_the_configs_patience():
    before = EarlyStopping(EarlyStoppingSpec(patience=5))
    assert stopped_at(before, [1.0, 2.0, 2.0]) is None
    after = EarlyStopping(EarlyStoppingSpec(patience=3))
    after.load_state(before.state())
    assert stopped_at(after, [1.5]) == 0
    assert after.reference == 1.0
    assert EarlyStopping(EarlyStoppingSpec()).reference == math.inf
