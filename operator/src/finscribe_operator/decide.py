"""Plans the next writes for a FineTuneJob; a pure function of what is observed.

The order of a plan's writes makes a crash between any two of them harmless:

1. The status, when the spec requires another run or attempt than the status describes: the old run is
   recorded before any of its objects is deleted. After a crash the next plan finds the old run recorded and
   continues. A new attempt is recorded once its old Job is gone, so that each Job has the recorded settings.
2. The deletion of obsolete Jobs, each after its ConfigMap: while the Job exists, the next plan
   finds it again, so nothing is left behind. Some time after the end of a run that applies to all Jobs, its
   own included (`expiry`), whose end the status must show before.
3. The children of the desired run, the Job last. Their names are derived from the spec, so creating them
   twice gives the same objects. A Job that the status does not mention belongs to the desired run, or is
   recorded (1).
4. The FineTuneJobs of experiments, whose names are derived from the spec, too.
5. The status again, after all other writes.
"""

from dataclasses import dataclass, field

from finscribe_core.api.v1alpha1 import FineTuneJobStatus, ResultLookup
from finscribe_core.constants import LABEL_RESTORED
from finscribe_operator.clock import seconds_between
from finscribe_operator.experiments import build_missing_or_changed, find_obsolete
from finscribe_operator.expiry import find_expiring, is_expired
from finscribe_operator.history import build_history, find_record
from finscribe_operator.manifests import (
    build_mutable_fields,
    build_suspend_patch,
    data_check_name,
    lookup_name,
)
from finscribe_operator.objects import Object, is_being_deleted, label
from finscribe_operator.observe import Observed
from finscribe_operator.outcome import is_told_to_end, read_outcome
from finscribe_operator.retraining import is_check_due
from finscribe_operator.retry_limit import build_retry_limit_patch, has_used_up_retries
from finscribe_operator.start_deadline import AT_ONCE, build_give_up_patch, is_overdue
from finscribe_operator.status import build_new_attempt_status, build_new_run_status
from finscribe_operator.status_lookup import build_lookup_status
from finscribe_operator.workloads import build_activation_patch, is_in_queue

LOST_STATUS_SECONDS = 300
"""Age of a job from which on an empty status counts as lost: the operator writes it within seconds."""


@dataclass(frozen=True)
class Plan:
    """The writes to make, in this order."""

    status: FineTuneJobStatus | None = None
    """Written before anything else is done."""
    delete: list[Object] = field(default_factory=list)
    """Jobs to delete, with the ConfigMaps of their runs."""
    create: bool = False
    """Whether to create the desired run's children."""
    patch: Object = field(default_factory=dict)
    """Merge patch of the desired run's Job."""
    patch_workload: Object = field(default_factory=dict)
    """Merge patch of that Job's Workload in a queue."""
    apply_experiments: list[Object] = field(default_factory=list)
    """FineTuneJobs of experiments to create or patch."""
    delete_experiments: list[Object] = field(default_factory=list)
    """FineTuneJobs of experiments to delete."""
    create_lookup: bool = False
    """Whether to create the Job that looks for the result of the desired run."""
    create_data_check: bool = False
    """Whether to create the Job that checks the training data."""
    delete_tasks: list[Object] = field(default_factory=list)
    """Jobs that have looked for results, or have checked the training data."""
    delete_finetunejob: bool = False
    """Whether to delete the FineTuneJob itself; nothing else is done then."""
    wait: bool = False
    """Whether an old Job must be gone before the status can describe the desired run."""


def decide(observed: Observed, now: str) -> Plan:
    """The writes that move the cluster towards the spec; none when it matches."""
    if observed.batch_job is not None and _must_delete_old_job_first(observed):
        return Plan(delete=_unless_being_deleted(observed.batch_job), wait=True)
    expired = find_expiring(observed) if is_expired(observed, now) else []
    if observed.raw in expired:
        return Plan(delete_finetunejob=True)
    status = _status_to_write_first(observed, now)
    looking = observed.is_looking_for_result if status is None else _is_looking(status)
    finished = observed.is_concluded if status is None else _has_result(status)
    checking = status is None and finished and is_check_due(observed.job.spec, observed.job.status, now)
    return Plan(
        status=status,
        delete=expired or _obsolete_jobs(observed, status or observed.job.status),
        # A pod that outlives its deleted Job would write the same checkpoints as the new pod.
        create=observed.batch_job is None
        and not (finished or looking or observed.stray_pods or observed.gpu_wait)
        # Kueue would admit it before its Workload can be made inactive.
        and not (observed.job.spec.suspend and observed.job.spec.queue_name),
        create_lookup=looking and observed.lookup_job is None and not observed.job.spec.suspend,
        create_data_check=checking and observed.data_check_job is None,
        delete_tasks=[job for job in observed.tasks.values() if _is_obsolete(job, observed, looking)],
        patch={} if finished else _changed_fields(observed, now),
        patch_workload={} if finished else _changed_activation(observed),
        apply_experiments=build_missing_or_changed(observed),
        delete_experiments=find_obsolete(observed),
    )


def _must_delete_old_job_first(observed: Observed) -> bool:
    """Whether the run continues (from its checkpoints) in a new Job, while its old one still exists.

    That is so when its pod's settings have changed, or when the spec was changed back to that of a failed or
    superseded run. The old Job must be gone before the status describes the new attempt: otherwise the end of
    the old Job would be read as that of the new one. A Job that has just ended is recorded first.
    """
    status = observed.job.status
    if observed.needs_new_attempt:
        return observed.is_concluded or read_outcome(observed.batch_job or {}, ()) is None
    record = find_record(status, observed.desired_run)
    if record is None:  # as `spec.historyLimit` dropped it: its Job is about to be deleted, too
        outcome = read_outcome(observed.batch_job or {}, ())
        has_failed = outcome is not None and outcome.failure is not None
        return has_failed and status.run is not None and status.run.name != observed.desired_run
    return record.outcome != "Succeeded" and (status.run is None or status.run.name != observed.desired_run)


def _status_to_write_first(observed: Observed, now: str) -> FineTuneJobStatus | None:
    """The status to write first: with runs to be recorded, or of another run or attempt; else None."""
    status = observed.job.status
    history = build_history(observed, now)
    same_run = status.run is None or status.run.name == observed.desired_run
    if observed.needs_new_attempt and observed.batch_job is None:
        return build_new_attempt_status(observed, now)
    if status.run is None and _may_have_lost_status(observed, now):
        return build_lookup_status(observed, history, now)
    if same_run and history == status.runs:
        return None
    if same_run:
        return status.model_copy(update={"runs": history})
    return build_new_run_status(observed, history, now)


def _may_have_lost_status(observed: Observed, now: str) -> bool:
    """Whether a job without a run may have had one, of which no Job is left: it is old, or was restored."""
    created = observed.raw["metadata"].get("creationTimestamp")
    is_old = bool(created) and seconds_between(created, now) > LOST_STATUS_SECONDS
    return (
        (is_old or bool(label(observed.raw, LABEL_RESTORED)))
        and observed.batch_job is None
        and not observed.stray_pods
    )


def _is_looking(status: FineTuneJobStatus) -> bool:
    return status.run is not None and status.run.result_lookup is ResultLookup.Pending


def _is_obsolete(task: Object, observed: Observed, looking: bool) -> bool:
    needed = {lookup_name(observed.desired_run)} if looking else set()
    if observed.job.spec.retrain.on_data_change is not None:
        needed.add(data_check_name(observed.desired_run, observed.checks))
    return task["metadata"]["name"] not in needed and not is_being_deleted(task)


def _obsolete_jobs(observed: Observed, status: FineTuneJobStatus) -> list[Object]:
    """Jobs of other runs that are active, or no longer recorded in the history.

    A finished Job is kept as long as its record, so that its pods' logs can be read.
    """
    recorded = {record.name for record in status.runs}
    return [
        job
        for run, job in observed.jobs.items()
        if run != observed.desired_run
        and not is_being_deleted(job)
        and (run not in recorded or read_outcome(job, ()) is None)
    ]


def _unless_being_deleted(job: Object | None) -> list[Object]:
    return [] if job is None or is_being_deleted(job) else [job]


def _has_result(status: FineTuneJobStatus) -> bool:
    """Whether a status that is about to be written is that of an earlier run that succeeded."""
    return status.run is not None and bool(status.run.completion_time)


def _changed_fields(observed: Observed, now: str) -> Object:
    if is_overdue(observed, now):
        return build_give_up_patch(observed)
    if has_used_up_retries(observed):
        return build_retry_limit_patch(observed)
    for job in _unless_being_deleted(observed.batch_job):
        if read_outcome(job, ()) is None:
            desired = build_mutable_fields(observed.job.spec) | (AT_ONCE if is_told_to_end(job) else {})
            changed = {name: value for name, value in desired.items() if job["spec"].get(name) != value}
            patch = _suspend_patch(observed, job)
            spec = patch.get("spec", {}) | changed
            return patch | {"spec": spec} if spec else {}
    return {}


def _suspend_patch(observed: Observed, job: Object) -> Object:
    """The patch that suspends the Job, or resumes it if the operator had suspended it.

    A Job that another controller has suspended is left to it, and a Job in a queue of Kueue always: setting
    its `suspend` would be undone.
    """
    if is_in_queue(job):
        return {}
    suspended, desired = bool(job["spec"].get("suspend")), observed.job.spec.suspend
    if suspended == desired or (suspended and (observed.gpu_wait or not observed.is_suspended_by_spec)):
        return {}
    return build_suspend_patch(desired)


def _changed_activation(observed: Observed) -> Object:
    """The patch by which the queue suspends the run, or resumes it if the operator had suspended it."""
    job, workload, desired = observed.batch_job, observed.workload, not observed.job.spec.suspend
    if job is None or workload is None or read_outcome(job, ()) is not None:
        return {}
    if workload.active == desired or (desired and not workload.suspended_by_spec):
        return {}
    return build_activation_patch(desired)
