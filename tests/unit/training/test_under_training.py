import math

import numpy as np
import pytest

from finscribe_core.trainer_config import TrainerConfig
from finscribe_trainer.training.under_training import find_under_training

NUM_STEPS = 200
BASE = 6.0


def cosine(step):
    """The learning rate after a warm-up of a tenth of the steps, as a share of its peak."""
    warm_up = NUM_STEPS // 10
    if step < warm_up:
        return step / warm_up
    return (1 + math.cos(math.pi * (step - warm_up) / (NUM_STEPS - warm_up))) / 2


def constant(step):
    return 1.0


def training(loss_at, rate=cosine, *, noise=0.0, evaluations=10, **others):
    """metrics.json of a training whose loss is `loss_at` of the learning rate summed up, from 0 to 1."""
    rng = np.random.default_rng(0)
    sums = np.cumsum([rate(step) for step in range(NUM_STEPS)])
    losses = [loss_at(share) for share in sums / sums[-1]]
    train = [
        {"step": step, "learning_rate": rate(step), "loss": losses[step - 1] + rng.normal(0, noise)}
        for step in range(10, NUM_STEPS + 1, 10)
    ]
    steps = range(NUM_STEPS // evaluations, NUM_STEPS + 1, NUM_STEPS // evaluations) if evaluations else ()
    validation = [{"step": step, "eval_loss": losses[step - 1]} for step in steps]
    return {"base_eval_loss": BASE, "train_history": train, "eval_history": validation, **others}


def approach(time_constants, floor=0.3):
    """An exponential approach to a floor."""
    return lambda t: floor + (BASE - floor) * math.exp(-time_constants * t)


def answers(base, tuned):
    return {"evaluation": {"base": {"field_accuracy": base}, "tuned": {"field_accuracy": tuned}}}


def overfits(t):
    return 2.0 - 1.5 * t if t < 0.5 else 1.25 + t


UNDER_TRAINED = {
    "a rate so low that the loss falls in a straight line": training(lambda t: BASE - 0.1 * t),
    "a cosine schedule, whose last steps change nothing": training(approach(1.0)),
    "a constant rate": training(approach(1.0), constant),
    "one evaluation: judged by noisy training losses": training(
        approach(1.0), constant, noise=0.05, evaluations=1
    ),
    "answers no better, though the loss has settled": training(approach(8.0), **answers("0.02", "0.02")),
    "answers worse": training(approach(8.0), **answers("0.1", "0.05")),
    "nothing learned at all": training(lambda t: BASE, **answers("0.1", "0.1")),
}
WELL_TRAINED = {
    "a loss that has settled": training(approach(8.0), **answers("0", "0.9")),
    "a loss that has settled, with a constant rate": training(approach(8.0), constant),
    "noisy training losses around a floor": training(approach(8.0), constant, noise=0.1, evaluations=1),
    "a loss whose fall early stopping found too small": training(approach(1.0), stopped_early=True),
    "a slow power law": training(lambda t: min(BASE, 0.1 * (t + 1e-3) ** -0.5), **answers("0", "0.9")),
    "overfitted, no better": training(overfits, **answers("0.1", "0.1")),
    "diverged": training(lambda t: BASE + t, **answers("0.1", "0")),
    "a base model without a mistake": training(lambda t: 0.01, **answers("1", "1")),
    "no step was logged": {"base_eval_loss": BASE, "train_history": [], "eval_history": []},
}


@pytest.mark.parametrize("metrics", UNDER_TRAINED.values(), ids=UNDER_TRAINED.keys())
def test_a_run_whose_figures_show_it_is_under_trained(metrics):
    assert find_under_training(TrainerConfig(dataset_path="rows.jsonl"), metrics)


@pytest.mark.parametrize("metrics", WELL_TRAINED.values(), ids=WELL_TRAINED.keys())
def test_a_run_is_not_under_trained_without_a_sign(metrics):
    assert find_under_training(TrainerConfig(dataset_path="rows.jsonl"), metrics) is None


def test_the_reason_has_numbers_and_the_remedy_names_settings_and_their_values():
    metrics = training(approach(1.0), **answers("0.1", "0.05"))
    text = find_under_training(TrainerConfig(dataset_path="rows.jsonl"), metrics)
    assert text is not None
    for part in (
        "the validation loss was still falling, by 22 % over the last quarter",
        "no better than the base model (field accuracy 0.05, base model 0.1)",
        "training.num_train_epochs",
        "training.learning_rate (now 2e-05; recipes for PaddleOCR-VL use 0.0001 to 0.0005), or set it",
        "lora.target_modules: [q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj]",
    ):
        assert part in text
