"""A case of each of the trainer's sweeps: the run ends with the bytes of an undisturbed one."""

from collections.abc import Iterator

import pytest

from tests.trainer_sweeps.cases import SWEEPS
from tests.trainer_sweeps.life import Laboratory, laboratory

pytestmark = pytest.mark.versitygw

CASES = {
    "kills": "final evaluation",
    "drains": "first steps",
    "writes": "after write 13",
    "storage": "503 SlowDown, a third",
    "disk": "3 MiB",
}


@pytest.fixture(scope="module")
def place() -> Iterator[Laboratory]:
    with laboratory(seed=1) as place:
        yield place


@pytest.mark.parametrize("sweep", SWEEPS, ids=lambda sweep: sweep.name)
def test_a_disturbed_run_loses_nothing(sweep, place):
    case = next(case for case in sweep.cases if case.name == CASES[sweep.name])

    counts = place.try_case(case)

    assert counts.faults, "nothing was disturbed"
    assert counts.survived == counts.tried, "\n".join(counts.evidence)
