"""Schedules that only a program can check, which the API server accepts."""

import pytest
from pydantic import ValidationError

from finscribe_core.api.retraining import ScheduleSpec


@pytest.mark.parametrize(
    ("schedule", "problem"),
    [
        ({"cron": "61 2 * * *"}, "is no cron expression"),
        ({"cron": "0 2 31 2 *"}, "Bad day-of-month"),
        ({"cron": "0 2 * * *", "timeZone": "Europe/Berlim"}, "is no time zone"),
        ({"cron": "0 2 * * *", "timeZone": "Europe"}, "is no time zone"),
    ],
)
def test_a_schedule_that_has_no_times_is_refused(schedule: dict[str, str], problem: str):
    with pytest.raises(ValidationError, match=problem):
        ScheduleSpec.model_validate(schedule)
