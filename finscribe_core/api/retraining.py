"""Defines when a job trains again: after a change of its spec or data, by a schedule, on a trigger."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field

from finscribe_core.api.base import Duration, Int, KubeModel, Rule, count_seconds, pattern
from finscribe_core.report import Count, DatasetState, PrintableText, ShortText

MAX_SECONDS = 2**31 - 1
_EXAMPLE = "such as 0 2 * * 0 for each Sunday at 2:00"


class RunCause(StrEnum):
    """Why a run was started."""

    Created = "Created"
    """It is the first run of the job."""
    SpecChanged = "SpecChanged"
    """The spec asks for another training."""
    Triggered = "Triggered"
    """`retrain.trigger` was changed."""
    Scheduled = "Scheduled"
    """A time of `retrain.schedule` has come."""
    DataChanged = "DataChanged"
    """`retrain.onDataChange` found other training data."""
    Retried = "Retried"
    """The annotation finscribe.io/retry asked for another attempt after a failure."""


class SpecChangePolicy(StrEnum):
    """What happens to the present run when the spec asks for another one."""

    Replace = "Replace"
    """It is stopped, and the new run starts."""
    Wait = "Wait"
    """It continues to its end, then the new run starts. A suspended run has not ended."""
    Ignore = "Ignore"
    """The new spec is not used before `retrain.trigger` is changed, or before a run starts by the schedule or
    for changed data."""


class ConcurrencyPolicy(StrEnum):
    """What happens at a time of the schedule while a run has not ended."""

    Forbid = "Forbid"
    """The scheduled run starts after it, unless `startingDeadlineSeconds` have passed by then."""
    Replace = "Replace"
    """It is stopped, and the scheduled run starts."""


def _check_cron(expression: str) -> str:
    try:
        CronSim(expression, datetime.now(UTC))
    except CronSimError as error:
        raise ValueError(f"is no cron expression ({error}), {_EXAMPLE}") from None
    return expression


def _check_time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise ValueError("is no time zone of the IANA database, such as Europe/Berlin") from None
    return name


class ScheduleSpec(KubeModel):
    """Times at which a new run starts."""

    cron: Annotated[
        str,
        Field(
            pattern=pattern(
                r"^[0-9A-Za-z*/,#-]+( [0-9A-Za-z*/,#-]+){4}$",
                f"five fields (minute, hour, day of month, month, day of week), {_EXAMPLE}",
            ),
            max_length=128,
        ),
        AfterValidator(_check_cron),
    ]
    """Cron expression: minute, hour, day of month, month, day of week."""
    time_zone: Annotated[
        str,
        Field(
            pattern=pattern(
                r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$",
                "the name of a time zone, such as Europe/Berlin",
            ),
            max_length=64,
        ),
        AfterValidator(_check_time_zone),
    ] = "Etc/UTC"
    """Time zone of the expression. A time that a change to summer time skips comes right after the change;
    one that occurs twice is used once."""
    starting_deadline_seconds: Int | None = Field(None, ge=10, le=MAX_SECONDS)
    """How late a run may start: when the operator was down, the job suspended, or a run had not ended. A time
    that is missed for longer is left out, with an Event. No limit when unset. Of several missed times only
    the last one starts a run."""
    concurrency_policy: ConcurrencyPolicy = ConcurrencyPolicy.Forbid
    """What happens while a run has not ended."""


class DataChangeSpec(KubeModel):
    """When changed training data start a new run."""

    check_every: Duration = "1h"
    """Time between two checks, by a pod without GPU that lists the data set; at least a minute."""
    minimum_new_samples: Int = Field(0, ge=0, le=10**9)
    """Start a run only when there are so many more rows than the last run trained on; 0: after any change of
    a file with rows."""
    minimum_interval: Duration = "0s"
    """Start a run only when the last one began so long ago."""

    rules = (
        Rule(
            cel="!has(self.checkEvery) || duration(self.checkEvery) >= duration('1m')",
            check=lambda d: count_seconds(d.check_every) >= 60,
            message="retrain.onDataChange.checkEvery must be at least 1m",
        ),
    )


class RetrainSpec(KubeModel):
    """When to train again."""

    trigger: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """Any text, such as a date or a commit; when it changes, a new run starts."""
    on_spec_change: SpecChangePolicy = SpecChangePolicy.Replace
    """What happens to the present run when the spec asks for another one."""
    schedule: ScheduleSpec | None = None
    """Start a new run at these times, though nothing has changed."""
    on_data_change: DataChangeSpec | None = None
    """Start a new run when the files with the training data have changed. Runs start after the last one has
    ended."""


class ScheduleStatus(KubeModel):
    """What was done about the schedule."""

    expression: Annotated[str, Field(max_length=256)] = ""
    """The schedule that the times are of."""
    handled_until: ShortText = ""
    """The times of the schedule until then have started a run, or were left out (RFC 3339)."""
    next_time: ShortText | None = None
    """The next time (RFC 3339)."""
    last_missed_time: ShortText | None = None
    """The last time that was left out, because it had been missed for too long (RFC 3339)."""


class DataCheckStatus(KubeModel):
    """The last check of the training data."""

    time: ShortText = ""
    """When its result was read (RFC 3339)."""
    dataset: DatasetState | None = None
    """What it found; unset when it failed."""
    message: PrintableText = Field("", max_length=1024)
    """Why it failed; empty when it did not."""
    checks: Count = 0
    """Number of checks so far."""


class RetrainStatus(KubeModel):
    """Observed state of `spec.retrain`."""

    schedule: ScheduleStatus | None = None
    """What was done about the schedule."""
    data_check: DataCheckStatus | None = None
    """The last check of the training data."""
