"""Reads the Events that say why Kubernetes can't create a Job's pod, or start it: nothing else says it."""

from dataclasses import dataclass
from typing import Literal

from finscribe_operator.objects import Object

Kind = Literal["Job", "Pod"]
REASONS: dict[Kind, frozenset[str]] = {
    "Job": frozenset({"FailedCreate"}),
    "Pod": frozenset(
        {
            *("FailedMount", "FailedAttachVolume", "FailedMapVolume"),
            *("FailedCreatePodSandBox", "NetworkNotReady", "FailedPrepareDynamicResources"),
        }
    ),
}
"""The reasons that matter here. A pod's status shows all others, such as that of an image."""


@dataclass(frozen=True)
class WarningEvent:
    """The newest of these Events of a Job or Pod."""

    uid: str
    """Of the Job or Pod."""
    reason: str
    message: str
    time: str
    """When it happened last (RFC 3339, in seconds)."""

    @classmethod
    def of(cls, event: Object) -> "WarningEvent":
        """Read an Event, which may have been written through the older or the newer API of Events."""
        series = event.get("series") or {}
        time = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
        return cls(
            uid=str(event["involvedObject"].get("uid", "")),
            reason=str(event.get("reason", "")),
            message=str(event.get("message", "")),
            # In seconds, as all times that it is compared with; `eventTime` has microseconds.
            time=f"{str(time or '')[:19]}Z",
        )
