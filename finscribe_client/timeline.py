"""The Events of a job and of what belongs to it, in the order in which they happened."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from finscribe_core.constants import KIND


@dataclass(frozen=True)
class TimelineEvent:
    """An Event."""

    time: str
    """When it happened last (RFC 3339)."""
    type: str
    """`Normal` or `Warning`."""
    reason: str
    about: str
    """Kind and name of the object."""
    message: str
    count: int


def build_timeline(
    events: Iterable[dict[str, Any]], jobs: Collection[str], runs: Collection[str]
) -> list[TimelineEvent]:
    """The events about some FineTuneJobs, and about Jobs and pods, which are named after their runs.

    Args:
        events: all of the namespace, as JSON.
        jobs: names of FineTuneJobs.
        runs: names of runs.
    """
    prefixes = tuple(f"{run}-" for run in runs)

    def belongs(about: dict[str, Any]) -> bool:
        name = str(about.get("name", ""))
        if about.get("kind") == KIND:
            return name in jobs
        return name in runs or (bool(prefixes) and name.startswith(prefixes))

    found = (event for event in events if belongs(event.get("involvedObject") or {}))
    return sorted((_event(event) for event in found), key=lambda event: event.time)


def _event(event: dict[str, Any]) -> TimelineEvent:
    series, about = event.get("series") or {}, event["involvedObject"]
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    created = event["metadata"].get("creationTimestamp")
    return TimelineEvent(
        time=str(next(filter(None, times), created) or ""),
        type=str(event.get("type", "")),
        reason=str(event.get("reason", "")),
        about=f"{about.get('kind', '')}/{about.get('name', '')}",
        message=str(event.get("message", "")),
        count=int(series.get("count") or event.get("count") or 1),
    )
