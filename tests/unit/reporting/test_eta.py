"""The time left of a whole run, from what is left to do and the measured speeds."""

from dataclasses import dataclass

import pytest

from finscribe_core.report import Phase
from finscribe_trainer.reporting.eta import Pace, Plan, after, seconds_left

NOTHING_ELSE = Plan()
WHOLE = Plan(eval_steps=40, answers=20, merges=1, upload_bytes=1000)
MEASURED = Pace(step=2.0, evaluation=30.0, answer=5.0, merge=60.0, uploaded_byte=0.1)
REST = 20 * 5 + 60 + 100
"""Seconds of what comes after the training."""


@dataclass(frozen=True)
class Case:
    expected: int | None
    phase: Phase = Phase.Training
    step: int = 0
    plan: Plan = WHOLE
    pace: Pace = MEASURED


CASES = {
    "before the training, when the number of steps is not known": Case(None, Phase.Preparing),
    "before the first step": Case(None, pace=Pace(evaluation=30.0)),
    "steps only": Case(200, plan=NOTHING_ELSE),
    "steps only, half of them taken": Case(100, step=50, plan=NOTHING_ELSE),
    "the first step: evaluations at 40, 80 and 100 follow": Case(99 * 2 + 3 * 30 + REST, step=1),
    "after the first evaluation": Case(60 * 2 + 2 * 30 + REST, step=40),
    "during the first evaluation": Case(60 * 2 + 3 * 30 + REST, Phase.Evaluating, step=40),
    "during the last evaluation": Case(30 + REST, Phase.Evaluating, step=100),
    "after a resume, before an evaluation or answer was measured": Case(
        20 * 2 + 60, step=80, pace=Pace(step=2.0, merge=60.0)
    ),
    "no evaluation has been measured": Case(99 * 2, step=1, pace=Pace(step=2.0)),
    "training has stopped early: its other steps are not taken": Case(REST, Phase.Exporting, step=50),
    "the models are compared": Case(20 * 5 + 100, Phase.Comparing, step=100),
    "the result is uploaded": Case(100, Phase.Uploading, step=100),
    "a run without steps left": Case(REST, step=100),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_time_left_is_that_of_all_that_is_left_to_do(case: Case):
    plan = after(case.plan, case.phase)

    assert seconds_left(plan, case.pace, case.phase, case.step, _total(case)) == case.expected


def _total(case: Case) -> int:
    return 0 if case.phase is Phase.Preparing else 100
