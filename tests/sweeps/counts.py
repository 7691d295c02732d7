"""Counts what was lost, doubled or left behind when the operator was disturbed; a pure function."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields

from finscribe_core.api.v1alpha1 import FineTuneJobStatus, State
from finscribe_core.report import RunResult

ENDS = (State.Complete, State.Failed)


@dataclass(frozen=True)
class Expected:
    """What has to become of a job."""

    name: str
    state: State = State.Complete
    result: RunResult | None = None
    """What its last pod reported; None where the run ends without a result."""
    ended: bool = True
    """Whether its last pod has ended."""
    max_runs: int = 1
    """Different trainings that its spec asked for."""
    max_jobs: int = 1
    """Jobs that may have been created: one for each training and for each change of the pod."""


@dataclass(frozen=True, order=True)
class CreatedJob:
    """A Job that the API server has created, whether or not it still exists."""

    finetunejob: str
    run: str
    uid: str


@dataclass(frozen=True)
class Found:
    """What an API server says afterwards."""

    statuses: Mapping[str, FineTuneJobStatus]
    created: Sequence[CreatedJob]
    events: frozenset[tuple[str, str]]
    """FineTuneJob and reason of each Event."""


@dataclass
class Counts:
    """How many jobs were tried, and what was wrong with how many of them."""

    faults: int = 0
    """Requests that failed, watches that ended, kills, deletions, edits."""
    tried: int = 0
    survived: int = 0
    """Nothing was wrong with them."""
    lost: int = 0
    """No Job was ever created for them, or their pod has ended and their run has not."""
    doubled: int = 0
    """More Jobs were created than their spec asked for."""
    stuck: int = 0
    """They are not in the state that they should be in, long after the disturbance."""
    results_lost: int = 0
    """They are complete, without the metrics and outputs that their pod reported."""
    events_lost: int = 0
    """They have ended without the Event that says so."""
    writes_at_rest: int = 0
    """Status writes while nothing happens."""
    defects: int = 0
    """Anything else: an exception in the operator's log, its unexpected end, a wrong time in a status."""
    evidence: list[str] = field(default_factory=list)
    """A line for each of these."""

    @property
    def is_clean(self) -> bool:
        """Whether nothing was wrong."""
        return self.survived == self.tried and not (self.writes_at_rest or self.defects)

    def numbers(self) -> list[int]:
        """All counts, in the order of the fields."""
        return [getattr(self, f.name) for f in fields(self) if f.name != "evidence"]

    def add(self, other: "Counts") -> None:
        """Add the counts of another namespace."""
        for f in fields(self):
            setattr(self, f.name, getattr(self, f.name) + getattr(other, f.name))


def count(expected: Iterable[Expected], found: Found) -> Counts:
    """Compare what was expected with what was found."""
    counts = Counts()
    for job in expected:
        counts.tried += 1
        problems = _problems(job, found)
        for name, text in problems.items():
            setattr(counts, name, getattr(counts, name) + 1)
            counts.evidence.append(f"{name.replace('_', ' ')}: {job.name}: {text}")
        counts.survived += not problems
    return counts


def is_settled(job: Expected, status: FineTuneJobStatus) -> bool:
    """Whether the job is in its expected state."""
    return job.ended and status.summary.state == job.state


def _problems(job: Expected, found: Found) -> dict[str, str]:
    """What is wrong with a job: a text for each count."""
    status = found.statuses.get(job.name, FineTuneJobStatus())
    created = [c for c in found.created if c.finetunejob == job.name]
    problems = {}
    state = status.summary.state
    if not created:
        problems["lost"] = f"no Job was created; {_describe(status)}"
    elif state != job.state:
        is_lost = job.ended and state not in ENDS
        problems["lost" if is_lost else "stuck"] = f"is {state} instead of {job.state}; {_describe(status)}"
    elif not job.ended:
        problems["stuck"] = f"its pod did not end; {_describe(status)}"
    runs = {c.run for c in created}
    if len(created) > job.max_jobs or len(runs) > job.max_runs:
        text = ", ".join(f"{c.run} ({c.uid})" for c in created)
        problems["doubled"] = (
            f"{len(created)} Jobs instead of {job.max_jobs}, "
            f"{len(runs)} runs instead of {job.max_runs}: {text}"
        )
    if state == job.state == State.Complete and job.result is not None:
        outputs = status.run.outputs if status.run else None
        if outputs != job.result.outputs:
            problems["results_lost"] = f"outputs are {outputs} instead of {job.result.outputs}"
        elif status.metrics.eval_loss != job.result.metrics.eval_loss:
            problems["results_lost"] = f"metrics are {status.metrics}"
    if state == job.state and state in ENDS and (job.name, str(state)) not in found.events:
        problems["events_lost"] = f"has no Event {state}"
    return problems


def _describe(status: FineTuneJobStatus) -> str:
    """The conditions that explain the state."""
    shown = [
        f"{c.type}={c.status} ({c.reason}) {c.message}".strip()
        for c in status.conditions
        if c.type in ("Accepted", "Running", "Complete", "Failed")
    ]
    return "; ".join(shown) or "it has no conditions"
