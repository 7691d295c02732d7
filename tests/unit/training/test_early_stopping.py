import math

import pytest

from finscribe_core.errors import UserError
from finscribe_core.trainer_config import EarlyStoppingSpec, PatienceUnit, SelectionMetric
from finscribe_trainer.training.callbacks import EarlyStopping

LOSSES = {
    "keeps falling": ([3.0, 2.0, 1.0], 2, 0.0, None),
    "stops after patience evaluations": ([2.0, 2.1, 2.2, 1.0], 2, 0.0, 2),
    "an improvement resets the count": ([2.0, 2.1, 1.9, 2.0, 2.0], 2, 0.0, 4),
    "a decrease below min_delta is no improvement": ([2.0, 1.95, 1.92], 2, 0.1, 2),
    "small decreases add up": ([2.0, 1.95, 1.85, 1.8, 1.7], 2, 0.1, None),
    "a decrease of exactly min_delta is no improvement": ([2.0, 1.5], 1, 0.5, 1),
    "patience of one": ([2.0, 2.0], 1, 0.0, 1),
}


def stopped_at(stopping: EarlyStopping, losses: list[float], epochs_between: float = 1.0) -> int | None:
    for index, loss in enumerate(losses):
        stopping.observe(loss, (index + 1) * epochs_between)
        if stopping.triggered:
            return index
    return None


ACCURACIES = {
    "keeps rising": ([0.1, 0.2, 0.3], 2, 0.0, None),
    "no correct field yet": ([0.0, 0.0, 0.0], 2, 0.0, 2),
    "a decrease is no improvement": ([0.5, 0.4, 0.3], 2, 0.0, 2),
    "an increase below min_delta is no improvement": ([0.5, 0.55, 0.58], 2, 0.1, 2),
    "small increases add up": ([0.5, 0.55, 0.65, 0.7, 0.8], 2, 0.1, None),
}


@pytest.mark.parametrize(("losses", "patience", "min_delta", "expected"), LOSSES.values(), ids=LOSSES)
def test_training_stops_when_the_validation_loss_no_longer_falls(losses, patience, min_delta, expected):
    spec = EarlyStoppingSpec(patience=patience, min_delta=min_delta)
    assert stopped_at(EarlyStopping(spec), losses) == expected


@pytest.mark.parametrize(("values", "patience", "min_delta", "expected"), ACCURACIES.values(), ids=ACCURACIES)
def test_training_stops_when_a_document_metric_no_longer_rises(values, patience, min_delta, expected):
    metric = SelectionMetric.eval_field_accuracy
    spec = EarlyStoppingSpec(patience=patience, min_delta=min_delta, metric=metric)
    assert stopped_at(EarlyStopping(spec), values) == expected


EPOCHS = {
    "one evaluation an epoch: an epoch without improvement counts once": (1.0, [2.0, 2.0, 2.0, 2.0], 2),
    "three evaluations an epoch": (1 / 3, [2.0] * 9, 6),
    "an improvement within an epoch resets the count": (0.5, [2.0, 2.0, 2.0, 1.0, *[2.0] * 4], 7),
    "an evaluation every other epoch": (2.0, [2.0, 2.0, 2.0], 1),
    "an evaluation every three quarters of an epoch": (0.75, [2.0] * 5, 3),
}


@pytest.mark.parametrize(("epochs_between", "losses", "expected"), EPOCHS.values(), ids=EPOCHS)
def test_patience_may_be_counted_in_epochs(epochs_between, losses, expected):
    spec = EarlyStoppingSpec(patience=2, patience_unit=PatienceUnit.epochs)
    assert stopped_at(EarlyStopping(spec), losses, epochs_between) == expected


def test_a_checkpoint_with_another_selection_metric_is_rejected():
    before = EarlyStopping(EarlyStoppingSpec())
    after = EarlyStopping(EarlyStoppingSpec(metric=SelectionMetric.eval_teds_score))
    with pytest.raises(
        UserError, match=r"chosen by eval_loss, but early_stopping\.metric is now eval_teds_score"
    ):
        after.load_state(before.state())


def test_disabled_early_stopping_never_stops():
    spec = EarlyStoppingSpec(enabled=False, patience=1)
    assert stopped_at(EarlyStopping(spec), [1.0, 2.0, 3.0]) is None


def test_after_a_resume_the_count_continues_with_the_patience_of_the_config():
    before = EarlyStopping(EarlyStoppingSpec(patience=5))
    assert stopped_at(before, [1.0, 2.0, 2.0]) is None
    after = EarlyStopping(EarlyStoppingSpec(patience=3))
    after.load_state(before.state())
    assert stopped_at(after, [1.5]) == 0
    assert after.reference == 1.0
    assert EarlyStopping(EarlyStoppingSpec()).reference == math.inf
