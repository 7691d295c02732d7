"""A FineTuneJob as the client reads it: its status typed, everything else as it was sent."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from finscribe_core.api.conditions import Condition, ConditionType, find_true, find_typed
from finscribe_core.api.v1alpha1 import FineTuneJobSpec, FineTuneJobStatus, RunRecord, RunStatus, State
from finscribe_core.report import EvaluationReport, Metrics, Outputs

ENDED = (State.Complete, State.Failed, State.Invalid)
"""States that only a change of the job, or of what it needs, ends."""


@dataclass(frozen=True)
class Run:
    """The current run, or an earlier one."""

    name: str
    outcome: str
    """`Succeeded`, `Failed` or `Superseded`; the job's state for the current run."""
    cause: str
    start_time: str | None
    completion_time: str | None
    metrics: Metrics
    evaluation: EvaluationReport | None
    outputs: Outputs
    is_current: bool


@dataclass(frozen=True)
class Job:
    """A FineTuneJob."""

    raw: dict[str, Any]
    """As the API server sent it."""

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.raw["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return str(self.raw["metadata"].get("namespace", "default"))

    @property
    def generation(self) -> int:
        """Generation of its spec."""
        return int(self.raw["metadata"].get("generation", 1))

    @property
    def created(self) -> str:
        """When it was created (RFC 3339)."""
        return str(self.raw["metadata"].get("creationTimestamp") or "")

    @property
    def annotations(self) -> dict[str, str]:
        """Its annotations."""
        return self.raw["metadata"].get("annotations") or {}

    @cached_property
    def spec(self) -> FineTuneJobSpec:
        """Its spec, completed with the defaults of this version.

        Raises:
            pydantic.ValidationError: it breaks a rule; its state is then Invalid.
        """
        return FineTuneJobSpec.model_validate(self.raw["spec"])

    @cached_property
    def status(self) -> FineTuneJobStatus:
        """Its status."""
        return FineTuneJobStatus.model_validate(self.raw.get("status") or {})

    @property
    def is_suspended_by_spec(self) -> bool:
        """Whether `spec.suspend` is true."""
        return bool(self.raw["spec"].get("suspend"))

    @property
    def is_observed(self) -> bool:
        """Whether the status is that of the present spec, and of the last request for a retry."""
        run = self.status.run
        token = self.annotations.get("finscribe.io/retry", "")
        return self.status.observed_generation >= self.generation and (
            run is None or not token or run.retry_token == token
        )

    @property
    def state(self) -> State:
        """Its state in one word; Pending until the operator has read the present spec."""
        return self.status.summary.state if self.is_observed else State.Pending

    @property
    def has_ended(self) -> bool:
        """Whether it is complete, failed, invalid or suspended: nothing happens any more by itself."""
        reconciling = self.condition(ConditionType.Reconciling)
        is_idle = reconciling is not None and reconciling.status == "False"
        return self.is_observed and is_idle and (self.state in ENDED or self.state == State.Suspended)

    def condition(self, type_: ConditionType) -> Condition | None:
        """The condition of that type; None without it."""
        return find_typed(self.status.conditions, type_)

    @property
    def explanation(self) -> tuple[str, str]:
        """Reason and message of the condition that explains the state."""
        conditions = self.status.conditions
        failed = find_true(conditions, ConditionType.Failed) or find_true(conditions, ConditionType.Stalled)
        chosen = failed or self.condition(
            ConditionType.Complete if self.state == State.Complete else ConditionType.Running
        )
        return (chosen.reason, chosen.message) if chosen else ("", "")

    @property
    def runs(self) -> list[Run]:
        """The current run and the earlier ones, newest first."""
        return list(self._runs())

    def find_run(self, name: str) -> Run | None:
        """The run of that name; None without it."""
        return next((run for run in self.runs if run.name == name), None)

    def _runs(self) -> Iterator[Run]:
        status = self.status
        if status.run is not None:
            yield _current(status, status.run, self.state)
        yield from (_earlier(record) for record in status.runs)


def _current(status: FineTuneJobStatus, run: RunStatus, state: State) -> Run:
    times = run.start_time, run.completion_time
    outcome = "Succeeded" if state == State.Complete else str(state)
    return Run(
        run.name, outcome, run.cause, *times, status.metrics, status.evaluation, run.outputs, is_current=True
    )


def _earlier(record: RunRecord) -> Run:
    times = record.start_time, record.completion_time
    return Run(
        record.name,
        record.outcome,
        record.cause,
        *times,
        record.metrics,
        record.evaluation,
        record.outputs,
        is_current=False,
    )
