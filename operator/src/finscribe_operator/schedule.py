"""Computes the times of a schedule; pure functions. Times are texts (RFC 3339, UTC), which sort by time."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from finscribe_core.api.retraining import ScheduleSpec


def describe(schedule: ScheduleSpec) -> str:
    """The schedule as one text: expression and time zone."""
    return f"{schedule.cron} {schedule.time_zone}"


def last_time(schedule: ScheduleSpec, now: str) -> str:
    """The last time of the schedule up to now; empty when there was none in the last decades."""
    # In reverse the iteration begins before its start: a time that is now counts, too.
    start = _local(schedule, now) + timedelta(seconds=1)
    return _as_text(next(CronSim(schedule.cron, start, reverse=True), None))


def next_time(schedule: ScheduleSpec, after: str) -> str:
    """The first time of the schedule after another time; empty when there is none in the next decades."""
    return _as_text(next(CronSim(schedule.cron, _local(schedule, after)), None))


def _local(schedule: ScheduleSpec, time: str) -> datetime:
    return datetime.fromisoformat(time).astimezone(ZoneInfo(schedule.time_zone))


def _as_text(time: datetime | None) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if time else ""
