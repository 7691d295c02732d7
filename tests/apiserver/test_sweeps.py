"""The sweeps in their short form: nothing is lost, doubled or left behind, whatever disturbs the operator."""

from collections.abc import Iterator
from random import Random

import pytest

from tests.sweeps.catalogue import SWEEPS, Case
from tests.sweeps.environment import SHORT, Environment, running_environment

CASES = {sweep.name: next(iter(sweep.cases.values())) for sweep in SWEEPS}
"""The first case of each sweep."""


@pytest.fixture(scope="module")
def environment() -> Iterator[Environment]:
    """An API server of this file: the sweeps kill it."""
    with running_environment(SHORT) as running:
        yield running


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_nothing_is_lost(environment: Environment, case: Case):
    environment.rng = Random(1)

    counts = case(environment)

    assert counts.is_clean, "\n".join(counts.evidence)
