"""Reads one job and its children from the store and parses them, as input of `decide` and `status`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType

from pydantic import ValidationError

from finscribe_core.api.conditions import ConditionType, Reason, find_true, find_typed
from finscribe_core.api.v1alpha1 import FineTuneJob, FineTuneJobStatus, ResultLookup, RunStatus
from finscribe_core.constants import ANNOTATION_ATTEMPT, ANNOTATION_SUSPENDED, LABEL_TASK
from finscribe_core.fields import dotted
from finscribe_core.parsing import validation_problems
from finscribe_core.report import ProgressReport, RunResult
from finscribe_operator.attempts import container_status, explain_restart
from finscribe_operator.gpu_limit import find_gpu_wait
from finscribe_operator.intake import REFUSED
from finscribe_operator.limits import find_excesses
from finscribe_operator.manifests import data_check_name, lookup_name
from finscribe_operator.objects import (
    JobKey,
    Object,
    controller_uid,
    experiment_of,
    has_ended,
    is_being_deleted,
    is_node_silent,
    label,
    node_rank,
    run_of,
)
from finscribe_operator.outcome import is_told_to_end, read_outcome
from finscribe_operator.policies import Policy
from finscribe_operator.restarts import count_restarts
from finscribe_operator.runs import DesiredRun, find_run
from finscribe_operator.store import Store
from finscribe_operator.warning_events import WarningEvent
from finscribe_operator.workloads import Workload

NO_POLICY = Policy()
NO_GPUS: Mapping[JobKey, int] = MappingProxyType({})
_ENDS = (ConditionType.Complete, ConditionType.Failed)


@dataclass(frozen=True)
class Observed:
    """A valid job and its children."""

    raw: Object
    """The FineTuneJob as it was read."""
    job: FineTuneJob
    """The job with the defaults of its run."""
    desired: DesiredRun
    """The run of the current spec."""
    jobs: Mapping[str, Object]
    """The Jobs that the FineTuneJob owns, by run."""
    pods: Mapping[str, Sequence[Object]]
    """The pods of those Jobs, and of those of `tasks`, by run or name, oldest first."""
    tasks: Mapping[str, Object] = field(default_factory=dict)
    """Jobs without GPU that look for the result of a run, or check the training data, by name."""
    stray_pods: Sequence[Object] = ()
    """Pods of the desired run that have not ended and whose Job is gone."""
    report: ProgressReport | None = None
    """The last progress report of the desired run's newest pod."""
    reported_at: str = ""
    """When that report came in (RFC 3339); empty without one."""
    silent_since: Mapping[str, str] = field(default_factory=dict)
    """Since when pods of the desired run have given no sign of life (RFC 3339), by uid."""
    job_warning: WarningEvent | None = None
    """Why the desired run's next pod could not be created."""
    pod_warning: WarningEvent | None = None
    """Why the desired run's slowest pod could not be started."""
    workload: Workload | None = None
    """The Workload of the desired run's Job, if the Job is in a queue and it has been looked up."""
    shares_output_with: JobKey | None = None
    """The oldest FineTuneJob with the same `spec.output.uri`, unless that is this one."""
    experiments: Mapping[str, Object] = field(default_factory=dict)
    """The experiments' FineTuneJobs that the FineTuneJob owns, by experiment."""
    gpu_wait: str = ""
    """Why the desired run can't start yet: which runs hold the namespace's GPUs. Empty when it can."""

    @property
    def desired_run(self) -> str:
        """Name of the run of the current spec."""
        return self.desired.name

    @property
    def needs_new_attempt(self) -> bool:
        """Whether the run has to continue in a new pod: its settings have changed, or a retry is wanted."""
        return _has_changed_attempt(self.job.status, self.desired, self.batch_job)

    @cached_property
    def is_concluded(self) -> bool:
        """Whether the status shows the end of the run and its result, and no Job or pod contradicts it."""
        status = self.job.status
        if status.run is None or status.run.name != self.desired_run or not status.run.completion_time:
            return False
        ended = any(find_true(status.conditions, end) for end in _ENDS)
        if not ended or self.batch_job is None:
            return ended
        outcome = read_outcome(self.batch_job, self.pods[self.desired_run])
        return outcome is not None and not _lacks(status, outcome.result)

    @property
    def is_suspended_by_spec(self) -> bool:
        """Whether the operator has suspended the Job. An older one did not annotate it."""
        annotations = (self.batch_job or {}).get("metadata", {}).get("annotations", {})
        is_suspended = find_true(self.job.status.conditions, ConditionType.Suspended) is not None
        return ANNOTATION_SUSPENDED in annotations or is_suspended

    @property
    def is_looking_for_result(self) -> bool:
        """Whether the bucket is being searched for the result of the desired run."""
        run = self.job.status.run
        return run is not None and run.name == self.desired_run and run.result_lookup is ResultLookup.Pending

    @property
    def lookup_job(self) -> Object | None:
        """The Job that looks for the result of the desired run."""
        return self.tasks.get(lookup_name(self.desired_run))

    @property
    def data_check_job(self) -> Object | None:
        """The Job of the next check of the training data."""
        return self.tasks.get(data_check_name(self.desired_run, self.checks))

    @property
    def checks(self) -> int:
        """Number of checks of the training data so far."""
        retrain = self.job.status.retrain
        return retrain.data_check.checks if retrain and retrain.data_check else 0

    @property
    def batch_job(self) -> Object | None:
        """The Job of the desired run."""
        return self.jobs.get(self.desired_run)

    @property
    def newest_pod(self) -> Object | None:
        """The pod of the desired run's last attempt; of several the first node's, which reports."""
        return find_newest(self.pods.get(self.desired_run, ()))

    @property
    def restarts(self) -> int:
        """How often the desired run's container was started again in its pod."""
        run, name = self.job.status.run, self.desired_run
        known = run if run is not None and run.name == name else RunStatus(name=name)
        return count_restarts(known, self.pods.get(name, ()))

    @property
    def failed_attempts(self) -> int:
        """Failed attempts of the desired run: pods, and containers that were, or will be, started again."""
        failed = int((self.batch_job or {}).get("status", {}).get("failed", 0))
        return failed + self.restarts + (self.is_restarting and not _has_container(self.newest_pod))

    @property
    def is_restarting(self) -> bool:
        """Whether the container of the newest pod has failed, and the next one in the pod has not reported.

        An operator that has just started has no report: a restart that the status shows is past then.
        """
        pod, status = self.newest_pod, self.job.status
        if pod is None or has_ended(pod) or explain_restart(pod) is None:
            return False
        if not _has_container(pod):
            return True
        running = find_typed(status.conditions, ConditionType.Running)
        is_shown = running is not None and running.reason == Reason.Retrying
        is_new = self.restarts > (status.run.restarts if status.run else 0)
        return self.report is None and (is_shown or is_new)

    @property
    def slowest_pod(self) -> Object | None:
        """The newest pod, or one that it waits for: another node's that does not run, or is about to end."""
        return _find_slowest(self.pods.get(self.desired_run, ()))


@dataclass(frozen=True)
class InvalidJob:
    """A job whose spec breaks a rule (an older CRD may have admitted it) or exceeds the operator's limits."""

    raw: Object
    generation: int
    status: FineTuneJobStatus
    problems: str
    """Every broken rule, as a sentence that names the field."""


@dataclass(frozen=True)
class PostponedJob:
    """A job whose next run or attempt can't be started, because the policy of its namespace is not known."""

    raw: Object
    generation: int
    status: FineTuneJobStatus
    problem: str


def observe(  # noqa: PLR0911 - each kind of problem ends it
    store: Store,
    key: JobKey,
    policy: Policy = NO_POLICY,
    now: str = "",
    reserved: Mapping[JobKey, int] = NO_GPUS,
) -> Observed | InvalidJob | PostponedJob | None:
    """What is known about the job; None when it does not exist.

    Args:
        store: what is known about the cluster.
        key: the job.
        policy: the limits and defaults of its namespace. They apply to runs and attempts that are new; a
            deadline is limited when it changes, too.
        now: the current time (RFC 3339); when empty, no run starts by a schedule or for changed data.
        reserved: GPUs of the jobs whose runs are being started.
    """
    raw = store.finetunejob(key)
    if raw is None:
        return None
    status = read_status(raw)
    generation = int(raw["metadata"].get("generation", 1))
    if REFUSED in raw:
        return InvalidJob(raw, generation, status, str(raw[REFUSED]))
    owned = [j for j in store.jobs(key) if _is_own(j, raw)]
    jobs = {run_of(j): j for j in owned if not label(j, LABEL_TASK)}
    tasks = {run_of(j): j for j in owned if label(j, LABEL_TASK)}
    try:
        job, desired = find_run(raw, status, jobs, now, policy.defaults)
    except ValidationError as error:
        problems = " ".join(_sentence(loc, text) for loc, text in validation_problems(error))
        return InvalidJob(raw, generation, status, problems)
    run = desired.name
    if _needs_permission(job, desired, jobs.get(run)):
        if policy.problem:
            return PostponedJob(raw, generation, status, policy.problem)
        if excesses := find_excesses(job, policy.limits):
            return InvalidJob(raw, generation, status, " ".join(excesses))
    pods = {name: _oldest_first(store.pods_of(j)) for name, j in (jobs | tasks).items()}
    newest, slowest = find_newest(pods.get(run, ())), _find_slowest(pods.get(run, ()))
    stray = [pod for pod in store.pods(key) if _is_stray(pod, run, jobs)]
    observed = Observed(
        raw=raw,
        job=job,
        desired=desired,
        jobs=jobs,
        pods=pods,
        tasks=tasks,
        stray_pods=stray,
        report=store.report(newest) if newest else None,
        reported_at=store.reported_at(newest) if newest else "",
        silent_since={
            pod["metadata"]["uid"]: since
            for pod in (*stray, *pods.get(run, ()))
            if (since := store.silent_since(pod))
        },
        job_warning=store.warning(jobs[run]) if run in jobs else None,
        pod_warning=store.warning(slowest) if slowest else None,
        workload=store.workload(jobs[run]) if run in jobs else None,
        shares_output_with=store.find_older_with_same_output(raw),
        experiments={
            experiment_of(e): e for e in store.experiments(key) if controller_uid(e) == job.metadata.uid
        },
    )
    limit = policy.limits.gpus_per_namespace
    if limit is None or (observed.is_concluded and not observed.needs_new_attempt):
        return observed
    wait = find_gpu_wait(store, key, job.spec, observed.batch_job, limit, reserved)
    return replace(observed, gpu_wait=wait)


def _is_own(job: Object, finetunejob: Object) -> bool:
    """Whether the operator made the Job for the FineTuneJob.

    Others can give one of theirs the same labels and the same owner, but not the run's name.
    """
    owner = finetunejob["metadata"].get("uid")
    return controller_uid(job) == owner and run_of(job) == str(job["metadata"]["name"])


def _needs_permission(job: FineTuneJob, desired: DesiredRun, batch_job: Object | None) -> bool:
    """Whether the limits apply: the run has not started, starts in another pod, or gets another deadline."""
    run = job.status.run
    has_started = run is not None and run.name == desired.name and (run.start_time or run.completion_time)
    return (
        (batch_job is None and not has_started)
        or _has_changed_attempt(job.status, desired, batch_job)
        or _has_changed_deadline(job, batch_job)
    )


def _has_changed_deadline(job: FineTuneJob, batch_job: Object | None) -> bool:
    """Whether the run's Job, which has not ended, has another deadline than the spec."""
    if batch_job is None or read_outcome(batch_job, ()) is not None or is_told_to_end(batch_job):
        return False
    deadline: int | None = batch_job["spec"].get("activeDeadlineSeconds")
    return deadline != job.spec.active_deadline_seconds


def _lacks(status: FineTuneJobStatus, result: RunResult | None) -> bool:
    """Whether outputs or metrics of a result are missing in the status, because someone removed them."""
    if result is None or status.run is None:
        return False
    known = status.metrics.model_dump(exclude_none=True)
    return status.run.outputs != result.outputs or bool(
        result.metrics.model_dump(exclude_none=True).keys() - known.keys()
    )


def _has_changed_attempt(status: FineTuneJobStatus, desired: DesiredRun, job: Object | None) -> bool:
    """Whether the run's Job, or else its status, is about another attempt. A run that succeeded has none.

    The Job tells it even if the operator was killed before it could write the status.
    """
    run = status.run
    annotations = (job or {}).get("metadata", {}).get("annotations", {})
    if run is None:
        ended = job is not None and read_outcome(job, ()) is not None
        return not ended and annotations.get(ANNOTATION_ATTEMPT, "") not in ("", desired.attempt_hash)
    if run.name != desired.name:
        return False
    failed = find_true(status.conditions, ConditionType.Failed) is not None
    if failed and desired.retry_token not in ("", run.retry_token):
        return True
    attempt_hash = annotations.get(ANNOTATION_ATTEMPT) or run.attempt_hash
    return attempt_hash not in ("", desired.attempt_hash) and (failed or not run.completion_time)


def read_status(raw: Object) -> FineTuneJobStatus:
    """The status; one that does not parse (another program wrote it) counts as empty."""
    try:
        return FineTuneJobStatus.model_validate(raw.get("status") or {})
    except ValidationError:
        return FineTuneJobStatus()


def _sentence(loc: tuple[str | int, ...], text: str) -> str:
    """The message of a broken rule, with the path of the object it is about."""
    return text if text.startswith(dotted(loc)) or not loc else f"{dotted(loc)}: {text}"


def find_newest(pods: Sequence[Object], rank: int = 0) -> Object | None:
    """The newest pod of a node, the first one by default; pods are oldest first."""
    return next((pod for pod in reversed(pods) if node_rank(pod) == rank), None)


def _find_slowest(pods: Sequence[Object]) -> Object | None:
    first = find_newest(pods)
    if first is None or not _is_running(first):
        return first
    others = (find_newest(pods, rank) for rank in sorted({node_rank(pod) for pod in pods} - {0}))
    waiting = (pod for pod in others if pod and not _is_running(pod) and not _has_succeeded(pod))
    return next(waiting, first)


def _has_container(pod: Object | None) -> bool:
    """Whether the trainer's container runs."""
    return pod is not None and "running" in (container_status(pod).get("state") or {})


def _is_running(pod: Object) -> bool:
    runs = bool(pod.get("status", {}).get("phase") == "Running")
    return runs and not is_being_deleted(pod) and not is_node_silent(pod)


def _has_succeeded(pod: Object) -> bool:
    return bool(pod.get("status", {}).get("phase") == "Succeeded")


def _is_stray(pod: Object, run: str, jobs: Mapping[str, Object]) -> bool:
    if run_of(pod) != run or has_ended(pod):
        return False
    return run not in jobs or controller_uid(pod) != jobs[run]["metadata"]["uid"]


def _oldest_first(pods: list[Object]) -> list[Object]:
    return sorted(pods, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))
