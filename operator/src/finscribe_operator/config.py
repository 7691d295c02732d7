"""Reads the operator's configuration: one YAML file, unknown keys are rejected."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from finscribe_core.api.base import Bool, Float, Int, KubeModel, Name
from finscribe_core.errors import FailureReason, UserError
from finscribe_core.parsing import parse_strictly
from finscribe_core.yaml_files import read_documents
from finscribe_operator.job_defaults import JobDefaults
from finscribe_operator.limits import Limits

Port = Annotated[int, Field(strict=True, ge=1, le=65535)]


class NamespacePolicy(KubeModel):
    """Limits and defaults of the namespaces with certain labels."""

    namespace_selector: Annotated[dict[str, str], Field(min_length=1)]
    """Labels that a namespace must have; `kubernetes.io/metadata.name` is its name."""
    limits: Limits = Limits()
    """Limits in place of the global ones of the same name. `["*"]` allows everything."""
    defaults: JobDefaults = JobDefaults()
    """Defaults that are preferred to the global ones."""


class LeaderElection(KubeModel):
    """Times of the election of the replica that works. Larger ones cost fewer requests, and delay the
    takeover when the leader is lost.
    """

    lease_duration_seconds: Int = Field(15, ge=1, le=3600)
    """How long a Lease is valid after it was renewed: another replica takes over when it has not changed for
    this time."""
    renew_deadline_seconds: Float = Field(10.0, gt=0)
    """How long the leader writes after the last renewal that succeeded. Less than `leaseDurationSeconds`."""
    retry_period_seconds: Float = Field(2.0, gt=0)
    """Seconds between two renewals, or two attempts to take the Lease. At most half of
    `renewDeadlineSeconds`."""

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if not 2 * self.retry_period_seconds <= self.renew_deadline_seconds < self.lease_duration_seconds:
            raise ValueError(
                "renewDeadlineSeconds must be less than leaseDurationSeconds, and at least twice "
                "retryPeriodSeconds: otherwise two replicas may work at once, or none"
            )
        return self


class OperatorConfig(KubeModel):
    """The file `python -m finscribe_operator --config` reads, and the chart writes."""

    trainer_image: Annotated[str, Field(min_length=1, max_length=1024)] = "finscribe/trainer:0.1.0"
    """Trainer image of jobs that set none. Use the same version as the operator's."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When nodes pull the trainer image."""
    fixed_user_id: Bool = True
    """Run pods as user and group 65532. False leaves the choice to the platform: OpenShift assigns the users
    of each namespace, and admits no others."""
    namespaces: list[Name] = []
    """Namespaces to watch; all when empty."""
    limits: Limits = Limits()
    """What jobs may ask for. A list allows what matches one of its patterns, in which `*` stands for any
    characters and `{namespace}` for the job's namespace. Unset: no limit."""
    defaults: JobDefaults = JobDefaults()
    """What jobs leave unset, by the same keys as in a FineTuneJob's spec. What a job writes wins; maps and
    lists of `pod` are completed by key and name."""
    policies: list[NamespacePolicy] = []
    """Limits and defaults by namespace. Of several that select a namespace, the last one wins."""
    progress_interval_seconds: Float = Field(5.0, gt=0)
    """Seconds between two requests for a running pod's progress."""
    resync_interval_seconds: Float = Field(600.0, gt=0)
    """Seconds between two full listings, in case a watch event was lost."""
    watch_timeout_seconds: Float = Field(600.0, gt=0)
    """Seconds without anything from a watch stream, although listings work, after which `/healthz` fails."""
    leader_election: LeaderElection = LeaderElection()
    """Times of the election of the replica that works."""
    max_concurrent_reconciles: Int = Field(16, ge=1, le=1024)
    """Jobs that are reconciled at the same time."""
    bind_address: Annotated[str, Field(min_length=1, max_length=64)] = "0.0.0.0"  # noqa: S104 - a pod's own
    """Address that `/healthz`, `/readyz` and `/metrics` are served on."""
    health_port: Port = 8081
    """Port of `/healthz` and `/readyz`, for the kubelet."""
    metrics_port: Port = 9090
    """Port of `/metrics`, for Prometheus."""
    log_format: Literal["json", "text"] = "json"
    """`json`: one object per line; `text`: human-readable lines."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Lowest severity that is logged."""


def read_config(path: Path | None) -> OperatorConfig:
    """The configuration from a file; all defaults without a file, or when it is empty.

    Raises:
        UserError: InvalidConfig, naming file and line.
    """
    if path is None:
        return OperatorConfig()
    documents = read_documents(path)
    if len(documents) > 1:
        raise UserError(
            FailureReason.InvalidConfig, f"{path}: holds {len(documents)} YAML documents.", "Keep one."
        )
    return parse_strictly(OperatorConfig, documents[0]) if documents else OperatorConfig()
