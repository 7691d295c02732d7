"""Conditions of a FineTuneJob: their types, their reasons, and how one is set."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from finscribe_core.api.base import KubeModel


class ConditionType(StrEnum):
    """What a condition is about."""

    Accepted = "Accepted"
    """The spec is valid and the operator works on it."""
    Suspended = "Suspended"
    """`spec.suspend` holds the run: once its pod has ended (see Running), no GPU is in use."""
    Running = "Running"
    """The run's trainer runs in a pod; when false, the reason says what it waits for."""
    Complete = "Complete"
    """The run ended and its outputs are in the bucket."""
    Failed = "Failed"
    """The run ended without a result and will not be retried."""
    Promoted = "Promoted"
    """The run passed its gate, or has none, and `latest.json` was moved to it."""
    Reconciling = "Reconciling"
    """The run has not ended yet, and is not at rest in suspension (read by kstatus: Flux, Argo CD)."""
    Stalled = "Stalled"
    """The job can't go on without a change (read by kstatus)."""


class Reason(StrEnum):
    """Reasons beside those of `FailureReason` (Failed) and `Phase` (Running while a trainer reports)."""

    Accepted = "Accepted"
    """The spec is valid."""
    InvalidSpec = "InvalidSpec"
    """The spec breaks a rule; the message names the field."""
    SuspendedBySpec = "SuspendedBySpec"
    """`spec.suspend` is true."""
    NotSuspended = "NotSuspended"
    """`spec.suspend` is false."""
    Pending = "Pending"
    """The run's pod does not exist yet."""
    Unschedulable = "Unschedulable"
    """No node has what the pod asks for; the message is the scheduler's."""
    ContainerCreating = "ContainerCreating"
    """The node is pulling the image or mounting volumes."""
    ContainerCannotStart = "ContainerCannotStart"
    """The container can't be started (image not found, Secret missing); the message says why."""
    Retrying = "Retrying"
    """The last attempt failed; the next one resumes from its last checkpoint."""
    Stopping = "Stopping"
    """The pod is being ended."""
    NotFinished = "NotFinished"
    """The run has not ended."""
    Succeeded = "Succeeded"
    """Every output is uploaded."""
    Finished = "Finished"
    """The run has ended; see Complete and Failed."""
    NotFailed = "NotFailed"
    """The run has not failed."""
    NoGate = "NoGate"
    """`evaluation.gate` is not set: any run that succeeds may be named by `latest.json`."""
    GatePassed = "GatePassed"
    """The tuned model reached what `evaluation.gate` asks for."""
    GateFailed = "GateFailed"
    """It did not: the outputs are kept, `latest.json` was not moved."""


class Condition(KubeModel):
    """One aspect of a job's state, as the Kubernetes API conventions have it."""

    type: Annotated[str, Field(max_length=316)]
    """What the condition is about."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Annotated[str, Field(max_length=1024)]
    """Why, in one CamelCase word."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """Why, for people."""
    observed_generation: int = 0
    """The generation of the spec this was said of."""
    last_transition_time: str
    """When `status` last changed (RFC 3339)."""


def set_condition(  # noqa: PLR0913 - these are the fields of a condition
    conditions: list[Condition],
    type_: ConditionType,
    *,
    holds: bool,
    reason: str,
    message: str,
    generation: int,
    now: str,
) -> list[Condition]:
    """A new list with the condition set; its transition time moves only when its status changes."""
    status: Literal["True", "False"] = "True" if holds else "False"
    old = next((c for c in conditions if c.type == type_), None)
    new = Condition(
        type=type_,
        status=status,
        reason=reason,
        message=message,
        observed_generation=generation,
        last_transition_time=old.last_transition_time if old and old.status == status else now,
    )
    if old is None:
        return [*conditions, new]
    return [new if c.type == type_ else c for c in conditions]
