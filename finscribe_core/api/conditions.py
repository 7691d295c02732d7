"""Defines the condition types and reasons of a FineTuneJob, and sets conditions."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from finscribe_core.api.base import KubeModel


class ConditionType(StrEnum):
    """Type of a condition."""

    Accepted = "Accepted"
    """The spec is valid."""
    Suspended = "Suspended"
    """`spec.suspend` is true; once the pod has ended (see Running), the run uses no GPU."""
    Running = "Running"
    """The trainer runs in a pod; when False, the reason says what the run waits for. Unknown while the
    pod's node does not answer."""
    Complete = "Complete"
    """The run succeeded; its outputs are in the bucket."""
    Failed = "Failed"
    """The run failed and will not be retried."""
    Promoted = "Promoted"
    """The run passed its gate, or has none, and `latest.json` points to it."""
    Reconciling = "Reconciling"
    """The run is neither finished nor suspended (read by kstatus: Flux, Argo CD)."""
    Stalled = "Stalled"
    """The job makes no progress until its spec changes (read by kstatus)."""


class Reason(StrEnum):
    """Reasons of conditions, besides `FailureReason` (for Failed) and `Phase` (for Running)."""

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
    Queued = "Queued"
    """Another controller, such as Kueue, has suspended the run's Job until it admits it."""
    QuotaReserved = "QuotaReserved"
    """The queue has reserved the run's quota; the run waits for the queue's admission checks."""
    Requeued = "Requeued"
    """The queue has taken the run's quota back (a preemption, a queue that was stopped); the run waits to be
    admitted again, and resumes from its last checkpoint."""
    Deactivated = "Deactivated"
    """The run's Workload is inactive, and `spec.suspend` is not the cause: the queue does not admit it."""
    GpuLimitReached = "GpuLimitReached"
    """The runs of the namespace hold the GPUs that the limit `gpusPerNamespace` allows; the run waits."""
    PolicyUnknown = "PolicyUnknown"
    """The labels of the namespace, which decide its limits and defaults, can't be read."""
    PodCreationFailed = "PodCreationFailed"
    """The run's pod can't be created (quota, service account, policy); the message says why."""
    Unschedulable = "Unschedulable"
    """No node satisfies the pod's requests; the message is the scheduler's."""
    ContainerCreating = "ContainerCreating"
    """The node is pulling the image or mounting volumes."""
    ContainerCannotStart = "ContainerCannotStart"
    """The container can't be started (image not found, Secret missing); the message says why."""
    Retrying = "Retrying"
    """The last attempt failed; the next one resumes from its last checkpoint."""
    Stopping = "Stopping"
    """The pod is being terminated."""
    ProgressUnknown = "ProgressUnknown"
    """The pod runs, but its `/progress` has not answered for a minute."""
    NodeUnreachable = "NodeUnreachable"
    """The pod's node does not answer (Running is Unknown)."""
    NotFinished = "NotFinished"
    """The run has not ended."""
    Succeeded = "Succeeded"
    """Every output is uploaded."""
    Finished = "Finished"
    """The run has ended; see Complete and Failed."""
    NotFailed = "NotFailed"
    """The run has not failed."""
    LookingForResult = "LookingForResult"
    """A pod without GPU looks in the bucket for the result of the run, which the status may have lost."""
    Promoting = "Promoting"
    """A pod without GPU makes `latest.json` name this earlier run again."""
    NoGate = "NoGate"
    """`evaluation.gate` is not set: `latest.json` points to any run that succeeds."""
    GatePassed = "GatePassed"
    """The tuned model meets `evaluation.gate`."""
    GateFailed = "GateFailed"
    """The tuned model does not meet `evaluation.gate`: outputs are kept, `latest.json` was not changed."""


class Condition(KubeModel):
    """A condition as defined by the Kubernetes API conventions."""

    type: Annotated[str, Field(max_length=316)]
    """Type of the condition."""
    status: Literal["True", "False", "Unknown"]
    """True, False or Unknown."""
    reason: Annotated[str, Field(max_length=1024)]
    """Machine-readable cause, one CamelCase word."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """Human-readable details."""
    observed_generation: int = 0
    """Generation of the spec that the condition is based on."""
    last_transition_time: Annotated[str, Field(max_length=64)]
    """When `status` last changed (RFC 3339)."""


def find_typed(conditions: list[Condition], type_: ConditionType) -> Condition | None:
    """The condition of that type, whatever its status; None without it."""
    return next((c for c in conditions if c.type == type_), None)


def find_true(conditions: list[Condition], type_: ConditionType) -> Condition | None:
    """The condition of that type if it is True, else None."""
    return next((c for c in conditions if c.type == type_ and c.status == "True"), None)


def set_condition(  # noqa: PLR0913 - these are the fields of a condition
    conditions: list[Condition],
    type_: ConditionType,
    *,
    holds: bool | None,
    reason: str,
    message: str,
    generation: int,
    now: str,
) -> list[Condition]:
    """A new list with the condition set; its transition time changes only with its status.

    `holds` is None when it is not known whether the condition is true.
    """
    status: Literal["True", "False", "Unknown"] = "Unknown" if holds is None else "True" if holds else "False"
    old = find_typed(conditions, type_)
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
