"""Every case of `make bench-data` runs, and cases of one group return the same scores."""

from importlib import import_module
from itertools import groupby

import pytest

from benchmarks.data.cases import CASES

GROUPS = {group: list(cases) for group, cases in groupby(CASES, key=lambda case: case.group)}


@pytest.mark.parametrize("cases", [cases for group, cases in GROUPS.items() if "40 lines" not in group])
def test_cases_of_one_group_return_the_same_scores(cases, tmp_path):
    scores = []
    for case in cases:
        prepare = import_module(f"benchmarks.data.{case.module}").prepare
        scores.append(prepare(2, tmp_path, *case.parameters)())
    assert all(other == pytest.approx(scores[0], abs=1e-9) for other in scores)
