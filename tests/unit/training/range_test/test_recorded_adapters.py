"""The rates that `learning_rate: auto` chooses on recorded range tests of the model that ships."""

import json

import pytest

from finscribe_trainer.training.range_test.choose import SCHEDULE
from finscribe_trainer.training.range_test.curve import analyse
from tests.unit.docs.pages import ROOT

RECORDED = json.loads((ROOT / "benchmarks" / "learning_rate" / "adapters.json").read_text())


@pytest.mark.parametrize("adapter", RECORDED)
def test_the_chosen_rate_is_one_with_which_the_adapter_learns(adapter):
    """In docs/ablations.md the best of 0.003, 0.01 and 0.03 is 0.003 or 0.01 for each of them."""
    losses = RECORDED[adapter]
    rates = [SCHEDULE.at(step) for step in range(len(losses))]
    curve = analyse(rates, losses, SCHEDULE.num_steps, diverged=len(losses) < SCHEDULE.num_steps)
    assert 0.004 < curve.suggestion <= 0.014
    assert curve.falls_until is not None
