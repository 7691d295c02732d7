"""The ranges of `make bench-operator`: what is outside, what is not judged, and which figures they name."""

import pytest
from pydantic import ValidationError

from benchmarks.operator.candidates import OURS
from benchmarks.operator.figures import TITLES, delays
from benchmarks.operator.ranges import Measured, Range, judge, read_ranges
from benchmarks.operator.results import Result, tables, verdicts
from benchmarks.operator.scenarios.catalogue import SCENARIOS

AT_MOST = Range("idle", "core_percent", "", at_most=1.0)
AT_LEAST = Range("burst-1000", "times_trainer", "", at_least=4.0)


def result(scenario: str, jobs: int = 0, **rounds: list[float]) -> Result:
    """A result with these values of each figure, one for each round."""
    figures = [dict(zip(rounds, values, strict=True)) for values in zip(*rounds.values(), strict=True)]
    return Result(jobs or SCENARIOS[scenario].jobs, "2 CPU cores.", {OURS: figures})


@pytest.mark.parametrize(
    ("range_", "jobs", "value", "text", "is_outside"),
    [
        pytest.param(AT_MOST, 1000, 1.0, "yes", False, id="at the upper bound"),
        pytest.param(AT_MOST, 1000, 1.01, "OUTSIDE", True, id="above it"),
        pytest.param(AT_LEAST, 1000, 4.0, "yes", False, id="at the lower bound"),
        pytest.param(AT_LEAST, 1000, 3.9, "OUTSIDE", True, id="below it"),
        pytest.param(AT_MOST, 50, 9.0, "not judged: 50 jobs instead of 1000", False, id="fewer jobs"),
        pytest.param(AT_MOST, 1000, None, "not measured", False, id="no value"),
    ],
)
def test_a_value_is_judged_by_its_bound_if_it_was_measured_with_all_jobs(
    range_: Range, jobs: int, value: float | None, text: str, is_outside: bool
):
    (verdict,) = judge([range_], {range_.scenario: Measured(jobs, 1000, lambda _: value)})
    assert (verdict.text, verdict.is_outside) == (text, is_outside)


@pytest.mark.parametrize("bounds", [{}, {"at_most": 1.0, "at_least": 0.5}])
def test_a_range_has_one_bound(bounds: dict[str, float]):
    with pytest.raises(ValidationError, match="idle core_percent: set either at_most or at_least"):
        Range("idle", "core_percent", "", **bounds)


def test_ranges_name_figures_and_scenarios_that_exist():
    for each in read_ranges():
        assert each.figure in TITLES and each.scenario in SCENARIOS and each.why


def test_the_median_of_the_rounds_is_judged_and_shown_with_its_spread():
    results = {"burst-1000": result("burst-1000", p99_seconds=[9.0, 7.0, 8.5], cpu_ms_all=[20.0, 25.0, 30.0])}
    assert [(v.range.figure, v.value) for v in verdicts(results) if v.is_outside] == [("p99_seconds", 8.5)]
    text = "\n".join(tables(results))
    assert "| Burst of 1,000 | p99 | at most 8 s | 8.5 s | OUTSIDE |" in text
    assert "| p99, s | 8.5 (7 to 9) |" in text


def test_percentiles_are_of_the_delays_that_were_seen():
    figures = delays([float(number) for number in range(101)])
    assert [figures[name] for name in ("p50_seconds", "p95_seconds", "p99_seconds")] == [50, 95, 99]
