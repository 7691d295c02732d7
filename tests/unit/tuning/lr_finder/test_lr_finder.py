import json
import math

import numpy as np
import pytest
from click.testing import CliRunner

from finscribe_trainer.cli.lr_finder import lr_finder
from finscribe_trainer.pipeline.export import write_config
from finscribe_trainer.tuning.lr_finder.curve import Divergence, analyse
from finscribe_trainer.tuning.lr_finder.range_test import ExponentialSchedule

NUM_STEPS = 100
RATES = np.geomspace(1e-7, 1.0, NUM_STEPS)
DECADES = np.log10(RATES)
NOISE = np.random.default_rng(0).normal(0, 0.05, NUM_STEPS)
FALLS_THEN_RISES = 3 - 2 / (1 + np.exp(-4 * (DECADES + 4))) + 6 / (1 + np.exp(-6 * (DECADES + 1.5)))


def suggestion_of(losses, diverged=False):
    return analyse(list(RATES[: len(losses)]), list(losses), NUM_STEPS, diverged=diverged)


def test_the_steepest_fall_is_suggested():
    curve = suggestion_of(FALLS_THEN_RISES + NOISE)
    assert 1e-4 / 3 < curve.suggestion < 3e-4
    assert curve.suggestion == pytest.approx(curve.steepest, rel=0.05)
    assert 10**-3.3 < curve.rises_from < 10**-1.8


def test_the_suggestion_keeps_away_from_where_the_loss_rises():
    falls_off_a_cliff = np.where(DECADES < -4, 3.0, 0.5) + 20 * (DECADES > -3.6)
    curve = suggestion_of(falls_off_a_cliff + NOISE, diverged=True)
    assert curve.suggestion <= curve.rises_from / 2.9


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        (np.full(NUM_STEPS, 3.0) + NOISE, "does not fall"),
        (np.full(NUM_STEPS, 3.0), "does not fall"),
        (2.0 + 3 * (DECADES + 7) + NOISE, "rises without falling before"),
        (FALLS_THEN_RISES[:9], "too few"),
        ([], "too few"),
    ],
    ids=["flat and noisy", "flat", "rising", "stopped early", "stopped at once"],
)
def test_a_curve_that_names_no_rate_says_why(losses, said):
    curve = suggestion_of(losses)
    assert curve.suggestion is None
    assert said in curve.message


@pytest.mark.parametrize(("end", "asks"), [(1e-2, True), (1.0, False)])
def test_a_loss_that_still_falls_at_the_end_asks_for_a_higher_end_if_trainings_take_it(end, asks):
    rates = np.geomspace(1e-7, end, NUM_STEPS)
    falls = 3 - 0.2 * (np.log10(rates) + 7) + NOISE / 5
    curve = analyse(list(rates), list(falls), NUM_STEPS, diverged=False)
    assert curve.rises_from is None
    assert "still falls at the end" in curve.message
    assert ("raise --end-lr" in curve.message) is asks


def test_a_loss_that_falls_once_more_after_it_rose_rises_from_its_first_bottom():
    bump = 2 * np.exp(-(((DECADES + 1) / 0.4) ** 2))
    curve = suggestion_of(3 - 2 / (1 + np.exp(-4 * (DECADES + 4))) - 0.4 * (DECADES > -0.5) + bump + NOISE)
    assert 10**-3.3 < curve.rises_from < 10**-1.3
    assert 1e-4 / 3 < curve.suggestion < 3e-4


def test_an_exploding_loss_does_not_lift_what_was_before_it():
    calm, exploded = FALLS_THEN_RISES[:60], [*FALLS_THEN_RISES[:60], 1e4, 1e6]
    assert suggestion_of(exploded, diverged=True).suggestion == pytest.approx(
        suggestion_of(calm).suggestion, rel=0.3
    )


def test_one_odd_batch_is_no_divergence_but_a_growing_loss_is():
    divergence = Divergence()
    assert not any(divergence.observe(loss) for loss in [1.0] * 20 + [20.0] + [1.0] * 20)
    assert any(divergence.observe(loss) for loss in [10.0] * 20)


def test_the_rate_rises_exponentially_from_start_to_end():
    schedule = ExponentialSchedule(1e-6, 1e-2, 5)
    assert [schedule.at(step) for step in range(5)] == pytest.approx([1e-6, 1e-5, 1e-4, 1e-3, 1e-2])


@pytest.mark.parametrize("end", ["inf", "nan", "1e-7"])
def test_an_end_that_no_rate_can_rise_to_is_refused(end):
    result = CliRunner().invoke(lr_finder, ["--config", "config.yaml", "--end-lr", end])
    assert result.exit_code == 2
    assert "--start-lr must be less than --end-lr" in result.output


@pytest.mark.train
def test_a_range_test_takes_the_training_s_own_steps_and_leaves_only_its_results(config, tmp_path):
    write_config(config, tmp_path / "config.yaml")
    output = tmp_path / "plots" / "lr.png"
    arguments = ["--config", str(tmp_path / "config.yaml"), "--output", str(output), "--num-steps", "20"]
    result = CliRunner().invoke(lr_finder, [*arguments, "--start-lr", "1e-5", "--end-lr", "10"])
    assert result.exit_code == 0, result.output
    assert output.read_bytes().startswith(b"\x89PNG")
    curve = json.loads(output.with_suffix(".json").read_text())
    assert curve["learning_rates"][:2] == pytest.approx([1e-5, 1e-5 * 10 ** (6 / 19)])
    assert len(curve["losses"]) == len(curve["smoothed"]) <= 20
    assert math.isclose(curve["losses"][0], 6.8, abs_tol=0.5)  # about ln(vocabulary): nothing is learned yet
    assert f"learning_rate={curve['suggestion']:g}" in result.output
    assert {path.name for path in tmp_path.rglob("*")} <= {
        *("config.yaml", "plots", "lr.png", "lr.json"),
        *("out", "features", *(path.name for path in (tmp_path / "out" / "features").rglob("*"))),
    }
