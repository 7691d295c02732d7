"""The times of a schedule, in its time zone."""

import pytest

from finscribe_core.api.retraining import ScheduleSpec
from finscribe_operator.schedule import last_time, next_time

BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("cron", "zone", "now", "last", "following"),
    [
        ("0 2 * * *", "Etc/UTC", "2026-05-01T12:00:00Z", "2026-05-01T02:00:00Z", "2026-05-02T02:00:00Z"),
        ("0 2 * * *", BERLIN, "2026-05-01T12:00:00Z", "2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z"),
        ("0 2 * * SUN", BERLIN, "2026-05-01T12:00:00Z", "2026-04-26T00:00:00Z", "2026-05-03T00:00:00Z"),
        ("0 0 29 2 *", "Etc/UTC", "2026-05-01T12:00:00Z", "2024-02-29T00:00:00Z", "2028-02-29T00:00:00Z"),
        # 2:30 does not exist on 2026-03-29, and is there twice on 2026-10-25.
        ("30 2 * * *", BERLIN, "2026-03-28T12:00:00Z", "2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z"),
        ("30 2 * * *", BERLIN, "2026-10-25T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
    ],
    ids=["UTC", "a time zone", "a day of the week", "a leap year", "summer time begins", "summer time ends"],
)
def test_times_of(cron: str, zone: str, now: str, last: str, following: str):
    schedule = ScheduleSpec(cron=cron, time_zone=zone)
    assert (last_time(schedule, now), next_time(schedule, now)) == (last, following)


def test_a_time_that_is_now_counts_as_past():
    schedule = ScheduleSpec(cron="0 2 * * *")
    assert last_time(schedule, "2026-05-01T02:00:00Z") == "2026-05-01T02:00:00Z"
    assert next_time(schedule, "2026-05-01T02:00:00Z") == "2026-05-02T02:00:00Z"
