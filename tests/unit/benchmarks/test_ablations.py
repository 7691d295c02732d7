"""`make ablations`: what it measures, that it goes on where it was stopped, that its page is up to date."""

import json
import multiprocessing
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from benchmarks.ablations.cells import (
    DEFAULT,
    DEFAULT_RATE,
    FEATURES,
    RATES,
    THE_DEFAULT,
    Cell,
    Setting,
    cells,
    learning_rate,
)
from benchmarks.ablations.inputs import prepare
from benchmarks.ablations.page import BEGIN, END, PAGE, block, features, rates
from benchmarks.ablations.plot import bars, curves
from benchmarks.ablations.results import (
    INPUTS,
    Inputs,
    Recorded,
    Result,
    difference,
    known_results,
    read_recorded,
    read_results,
    write_recorded,
    write_result,
)
from benchmarks.ablations.run import run_cells
from finscribe_core.overrides import apply_overrides
from finscribe_core.trainer_config import TrainerConfig

FOCAL = next(setting for setting in FEATURES if setting.name == "focal")


def result(cell: Cell, field_accuracy: float = 0.5) -> Result:
    return Result(*cell.id, field_accuracy, 0.6, 0.7, 0.1, 0.2, 60.0, 70.0)


def recorded(accuracies: dict[Setting, list[float]]) -> Recorded:
    """Results of settings by the field accuracy of each seed."""
    made = [
        result(Cell(setting, seed), accuracy)
        for setting, found in accuracies.items()
        for seed, accuracy in enumerate(found)
    ]
    return Recorded(Inputs("base", "data"), "A machine.", {(each.key, each.seed): each for each in made})


class TestCells:
    def test_no_two_cells_are_the_same_training(self):
        found = cells(3)
        assert len({cell.id for cell in found}) == len(found)

    def test_the_default_comes_first_and_each_seed_is_complete_before_the_next(self):
        first, second = (cells(num_seeds)[num_seeds:] for num_seeds in (1, 2))
        assert [cell.setting for cell in cells(2)[:2]] == [THE_DEFAULT] * 2
        assert [(cell.id, cell.seed) for cell in second[: len(first)]] == [(c.id, 0) for c in first]
        assert {cell.seed for cell in second[len(first) :]} == {1}

    def test_a_setting_that_equals_the_default_is_not_measured_again(self):
        same = replace(THE_DEFAULT, row="learning rate", overrides={"training.learning_rate": DEFAULT_RATE})
        other = replace(same, overrides={"training.learning_rate": 7e-3})
        assert same.key == THE_DEFAULT.key != other.key

    @pytest.mark.parametrize("cell", cells(1), ids=str)
    def test_the_trainer_accepts_the_settings_of_a_cell(self, cell):
        data = apply_overrides(TrainerConfig, DEFAULT, cell.setting.overrides, "the cell's")
        TrainerConfig.model_validate({**data, "dataset_path": "train.jsonl"})


def write(folder: Path, cell: Cell) -> None:
    """Stands for a training; that of seed 1 is killed."""
    if cell.seed == 1:
        os._exit(9)
    write_result(folder, cell, result(cell))


class TestRun:
    CELLS = tuple(Cell(THE_DEFAULT, seed) for seed in range(3))

    def ended(self, folder: Path, **options: float) -> dict[int, int]:
        context = multiprocessing.get_context("fork")
        limits = {"workers": 2, "seconds": 60.0, **options}
        found = run_cells(self.CELLS, partial(write, folder), context, **limits)
        return {cell.seed: code for cell, code in found}

    def test_every_cell_is_measured_although_one_is_killed(self, tmp_path):
        assert self.ended(tmp_path) == {0: 0, 1: 9, 2: 0}
        assert {seed for _, seed in read_results(tmp_path)} == {0, 2}

    def test_no_cell_is_started_after_the_time(self, tmp_path):
        assert self.ended(tmp_path, seconds=0.0) == {}

    def test_results_of_another_base_model_are_never_continued(self, tmp_path):
        base, folder = tmp_path / "base", tmp_path / "folder"
        for made in (base, folder):
            made.mkdir()
        (base / "model.safetensors").write_bytes(b"weights")
        (folder / INPUTS).write_text(json.dumps({"base": "another", "data": ""}))
        with pytest.raises(SystemExit, match="another base model"):
            prepare(folder, str(base))


class TestResults:
    def test_the_file_in_the_repository_has_the_results_of_known_cells_only(self, tmp_path):
        gone = replace(FOCAL, documents=3)
        made = recorded({THE_DEFAULT: [0.5, 0.6], FOCAL: [0.7], gone: [0.1]})
        write_recorded(made, cells(3), tmp_path / "results.json")
        found = read_recorded(tmp_path / "results.json")
        assert found == replace(made, results={k: r for k, r in made.results.items() if k[0] != gone.key})

    @pytest.mark.parametrize(
        ("base", "known_seeds"), [("base", {0, 1}), ("another", {1})], ids=["same base", "other base"]
    )
    def test_results_in_the_repository_are_continued_if_they_are_of_the_same_base(
        self, tmp_path, base, known_seeds
    ):
        file = tmp_path / "results.json"
        write_recorded(recorded({THE_DEFAULT: [0.5]}), cells(3), file)
        write_result(tmp_path, (second := Cell(THE_DEFAULT, 1)), result(second))
        (tmp_path / INPUTS).write_text(json.dumps({"base": base, "data": "data"}))
        found = known_results(tmp_path, "This machine.", file)
        assert {seed for _, seed in found.results} == known_seeds

    @pytest.mark.parametrize(
        ("values", "default", "value", "is_real"),
        [
            ([0.9, 0.8], [0.6, 0.5], 0.3, True),
            ([0.9, 0.5], [0.6, 0.5], 0.15, False),  # its own seeds differ by more
            ([0.7], [0.6, 0.4], 0.2, False),  # the default's seeds differ by as much
            ([0.8], [0.6, 0.5], 0.25, True),
            ([0.9], [0.1], 0.8, False),  # one seed each: no spread is known
        ],
    )
    def test_a_difference_is_real_if_it_is_larger_than_both_spreads(self, values, default, value, is_real):
        found = difference(values, default)
        assert (found.value, found.is_real) == (pytest.approx(value), is_real)


class TestPage:
    def test_the_page_shows_the_results_in_the_repository(self):
        text = PAGE.read_text(encoding="utf-8")
        assert text.partition(BEGIN)[2].partition(END)[0] == block(read_recorded())

    def test_learning_rates_show_mean_and_range_and_leave_out_what_was_not_measured(self):
        lines = rates(recorded({learning_rate("attention", 4, RATES[1]): [0.25, 0.35]}))
        assert lines[4] == "| attention, rank 4 |  | 30.0 % (25.0 to 35.0) |" + "  |" * (len(RATES) - 2)

    def test_features_are_compared_with_the_default(self):
        lines = features(recorded({THE_DEFAULT: [0.5, 0.52], FOCAL: [0.6]}))[4:]
        assert [line.split(" | ")[3:5] for line in lines] == [
            ["51.0 % (50.0 to 52.0)", ""],
            ["60.0 %", "**+9.0 points**"],
        ]


class TestPlot:
    MADE = recorded({THE_DEFAULT: [0.5, 0.6], learning_rate("attention", 64, 1e-3): [0.2]})

    def test_a_curve_has_the_rates_that_were_measured(self):
        found = {(targets, rank): points for targets, rank, points in curves(self.MADE, "field_accuracy")}
        assert len(found) == 6
        assert {rate: point.mean for rate, point in found["attention", 64].items()} == {1e-3: 0.2}
        assert set(found["all linear", 16]) == {DEFAULT_RATE}  # the default is one of the adapters

    def test_bars_span_the_seeds(self):
        [(label, point)] = bars(self.MADE).items()
        assert (label, point.low, point.mean, point.high) == ("default", 0.5, pytest.approx(0.55), 0.6)
