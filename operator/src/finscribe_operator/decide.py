"""What happens next to a job: pure, from what is observed to a plan of writes.

The order of a plan's writes is what makes a crash between any two of them harmless:

1. The status, when another run is wanted than the one it speaks of: the old run is written down before
   anything of it is removed. A crash after it: the next plan finds the old run recorded and goes on.
2. The removal of Jobs that are no longer wanted, each with its ConfigMap and Service first: as long as a Job
   is there, the next plan finds it again, so nothing is left behind.
3. The children of the wanted run, the Job last. Their names follow from the spec: made twice, they are the
   same objects. A Job without a word of it in the status belongs to the wanted run, or gets recorded (1).
4. The FineTuneJobs of experiments, whose names follow from the spec, too.
5. The status again, of what is then observed.
"""

from dataclasses import dataclass, field

from finscribe_core.api.v1alpha1 import FineTuneJobStatus
from finscribe_operator.experiments import build_missing, find_unwanted
from finscribe_operator.history import build_history, find_record
from finscribe_operator.manifests import build_mutable_fields
from finscribe_operator.objects import Object, is_being_deleted
from finscribe_operator.observe import Observed
from finscribe_operator.outcome import read_outcome
from finscribe_operator.status import build_switched_status


@dataclass(frozen=True)
class Plan:
    """The writes to make, in this order."""

    status: FineTuneJobStatus | None = None
    """To be written before anything else is done."""
    delete: list[Object] = field(default_factory=list)
    """Jobs to remove with all that belongs to their runs."""
    create: bool = False
    """Whether to make the wanted run's children."""
    patch: Object = field(default_factory=dict)
    """What to change in the spec of the wanted run's Job."""
    experiments: list[Object] = field(default_factory=list)
    """FineTuneJobs of experiments to make, or to bring in line with the spec."""
    end: list[Object] = field(default_factory=list)
    """FineTuneJobs of experiments to remove."""
    wait: bool = False
    """Whether something has to be gone before the status can speak of the wanted run."""


def decide(observed: Observed, now: str) -> Plan:
    """The writes that bring the cluster nearer to the spec; none when it is there."""
    if _must_forget_first(observed):
        return Plan(delete=_unless_deleted(observed.batch_job), wait=True)
    status = _switch(observed, now)
    current = status or observed.job.status
    finished = current.run is not None and bool(current.run.completion_time)
    return Plan(
        status=status,
        delete=_leftovers(observed, current),
        # A pod that outlives its Job for a while would write the same checkpoints as the new one's.
        create=observed.batch_job is None and not finished and not observed.stray_pods,
        patch={} if finished else _changed_fields(observed),
        experiments=build_missing(observed),
        end=find_unwanted(observed),
    )


def _must_forget_first(observed: Observed) -> bool:
    """Whether the spec went back to that of a failed or superseded run whose Job is still there.

    The run starts anew (from its checkpoints) under its old name, so the old Job has to be gone before the
    status speaks of the run: its end would be read as the end of the new one.
    """
    status = observed.job.status
    record = find_record(status, observed.wanted)
    return (
        record is not None
        and record.outcome != "Succeeded"
        and observed.batch_job is not None
        and (status.run is None or status.run.name != observed.wanted)
    )


def _switch(observed: Observed, now: str) -> FineTuneJobStatus | None:
    """The status to write first, when runs must be written down or another run is wanted."""
    status = observed.job.status
    history = build_history(observed, now)
    same_run = status.run is None or status.run.name == observed.wanted
    if same_run and history == status.runs:
        return None
    if same_run:
        return status.model_copy(update={"runs": history})
    return build_switched_status(observed, history, now)


def _leftovers(observed: Observed, status: FineTuneJobStatus) -> list[Object]:
    """Jobs of other runs: active ones, and those whose record has left the history.

    A finished Job stays as long as its record does, so that its pods' logs can still be read.
    """
    recorded = {record.name for record in status.runs}
    return [
        job
        for run, job in observed.jobs.items()
        if run != observed.wanted
        and not is_being_deleted(job)
        and (run not in recorded or read_outcome(job, ()) is None)
    ]


def _unless_deleted(job: Object | None) -> list[Object]:
    return [] if job is None or is_being_deleted(job) else [job]


def _changed_fields(observed: Observed) -> Object:
    for job in _unless_deleted(observed.batch_job):
        if read_outcome(job, ()) is None:
            wanted = build_mutable_fields(observed.job.spec)
            return {name: value for name, value in wanted.items() if job["spec"].get(name) != value}
    return {}
