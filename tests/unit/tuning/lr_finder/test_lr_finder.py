import json
import math

import numpy as np
import pytest
from click.testing import CliRunner

from finscribe_trainer.cli.lr_finder import lr_finder
from finscribe_trainer.pipeline.export import write_config
from finscribe_trainer.training.range_test.curve import Divergence, analyse
from finscribe_trainer.training.range_test.run import ExponentialSchedule
from tests.unit.docs.pages import ROOT

NUM_STEPS = 100
RATES = np.geomspace(1e-7, 1.0, NUM_STEPS)
DECADES = np.log10(RATES)
NOISE = np.random.default_rng(0).normal(0, 0.05, NUM_STEPS)
FALLS_THEN_RISES = 3 - 2 / (1 + np.exp(-4 * (DECADES + 4))) + 6 / (1 + np.exp(-6 * (DECADES + 1.5)))


def suggestion_of(losses, diverged=False):
    return analyse(list(RATES[: len(losses)]), list(losses), NUM_STEPS, diverged=diverged)


CLIFF = np.where(DECADES < -4, 3.0, 0.5) + 20 * (DECADES > -3.6)


@pytest.mark.parametrize("losses", [FALLS_THEN_RISES, CLIFF], ids=["falls, then rises", "falls off a cliff"])
def test_half_of_the_rate_until_which_the_loss_falls_is_suggested(losses):
    curve = suggestion_of(losses + NOISE, diverged=True)
    assert 10**-4.1 < curve.falls_until < 10**-1.8
    assert curve.suggestion == pytest.approx(curve.falls_until / 2, rel=0.05)
    assert curve.range == pytest.approx((curve.falls_until / 3, curve.falls_until), rel=0.05)
    assert f"falls until {curve.range[1]:g}:" in curve.message


RECORDED = sorted((ROOT / "benchmarks" / "learning_rate" / "recorded").glob("*.json"))


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_the_suggestion_of_a_recorded_test_trains_nearly_as_well_as_the_best_of_ten_rates(path):
    """The losses that `make bench-learning-rate` measured; between two rates they are interpolated."""
    recorded = json.loads(path.read_text())
    curve = analyse(recorded["learning_rates"], recorded["losses"], NUM_STEPS, diverged=False)
    rates, losses = zip(*recorded["trainings"], strict=True)
    at_suggestion = np.interp(np.log(curve.suggestion), np.log(rates), losses)
    assert at_suggestion <= 1.1 * min(losses)
    low, high = curve.range
    assert low <= curve.suggestion <= high


@pytest.mark.parametrize(
    ("losses", "reason"),
    [
        (np.full(NUM_STEPS, 3.0) + NOISE, "does not fall"),
        (np.full(NUM_STEPS, 3.0), "does not fall"),
        (2.0 + 3 * (DECADES + 7) + NOISE, "rises without falling before"),
        (FALLS_THEN_RISES[:9], "too few"),
        ([], "too few"),
    ],
    ids=["flat and noisy", "flat", "rising", "stopped early", "stopped at once"],
)
def test_a_curve_without_a_suggestion_has_the_reason(losses, reason):
    curve = suggestion_of(losses)
    assert curve.suggestion is None
    assert reason in curve.message


@pytest.mark.parametrize(("end", "advised"), [(1e-2, True), (1.0, False)])
def test_a_loss_that_still_falls_at_the_end_gives_the_advice_to_raise_a_low_end(end, advised):
    rates = np.geomspace(1e-7, end, NUM_STEPS)
    falls = 3 - 0.2 * (np.log10(rates) + 7) + NOISE / 5
    curve = analyse(list(rates), list(falls), NUM_STEPS, diverged=False)
    assert curve.falls_until is None
    assert "still falls at the end" in curve.message
    assert ("raise --end-lr" in curve.message) is advised


def test_the_fall_ends_at_the_first_minimum_even_if_the_loss_falls_again():
    bump = 2 * np.exp(-(((DECADES + 1) / 0.4) ** 2))
    curve = suggestion_of(3 - 2 / (1 + np.exp(-4 * (DECADES + 4))) - 0.4 * (DECADES > -0.5) + bump + NOISE)
    assert 10**-3.3 < curve.falls_until < 10**-1.3
    assert curve.suggestion == pytest.approx(curve.falls_until / 2, rel=0.05)


def test_an_exploding_loss_does_not_change_the_suggestion():
    calm, exploded = FALLS_THEN_RISES[:60], [*FALLS_THEN_RISES[:60], 1e4, 1e6]
    assert suggestion_of(exploded, diverged=True).suggestion == pytest.approx(
        suggestion_of(calm).suggestion, rel=0.3
    )


def test_one_outlier_is_no_divergence_but_a_lasting_increase_is():
    divergence = Divergence()
    assert not any(divergence.observe(loss) for loss in [1.0] * 20 + [20.0] + [1.0] * 20)
    assert any(divergence.observe(loss) for loss in [10.0] * 20)


def test_the_rate_rises_exponentially_from_start_to_end():
    schedule = ExponentialSchedule(1e-6, 1e-2, 5)
    assert [schedule.at(step) for step in range(5)] == pytest.approx([1e-6, 1e-5, 1e-4, 1e-3, 1e-2])


@pytest.mark.parametrize("end", ["inf", "nan", "1e-7"])
def test_an_end_rate_that_is_not_a_number_above_the_start_is_rejected(end):
    result = CliRunner().invoke(lr_finder, ["--config", "config.yaml", "--end-lr", end])
    assert result.exit_code == 2
    assert "--start-lr must be less than --end-lr" in result.output


@pytest.mark.train
def test_a_range_test_trains_with_the_config_and_writes_only_its_results(config, tmp_path):
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
