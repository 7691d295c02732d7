"""Reads one job and its children from the store and parses them, as input of `decide` and `status`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from finscribe_core.api.v1alpha1 import FineTuneJob, FineTuneJobStatus
from finscribe_core.fields import dotted
from finscribe_core.parsing import validation_problems
from finscribe_core.report import ProgressReport
from finscribe_operator.intake import REFUSED
from finscribe_operator.limits import Limits, find_excesses
from finscribe_operator.objects import JobKey, Object, controller_uid, experiment_of, run_of
from finscribe_operator.runs import build_run_name
from finscribe_operator.store import Store

NO_LIMITS = Limits()


@dataclass(frozen=True)
class Observed:
    """A valid job and its children."""

    raw: Object
    """The FineTuneJob as it was read."""
    job: FineTuneJob
    desired_run: str
    """Name of the run of the current spec."""
    jobs: Mapping[str, Object]
    """The Jobs that the FineTuneJob owns, by run."""
    pods: Mapping[str, Sequence[Object]]
    """The pods of those Jobs, by run, oldest first."""
    stray_pods: Sequence[Object] = ()
    """Pods of the desired run that have not ended and whose Job is gone."""
    report: ProgressReport | None = None
    """The last progress report of the desired run's newest pod."""
    experiments: Mapping[str, Object] = field(default_factory=dict)
    """The experiments' FineTuneJobs that the FineTuneJob owns, by experiment."""

    @property
    def batch_job(self) -> Object | None:
        """The Job of the desired run."""
        return self.jobs.get(self.desired_run)

    @property
    def newest_pod(self) -> Object | None:
        """The pod of the desired run's last attempt."""
        pods = self.pods.get(self.desired_run)
        return pods[-1] if pods else None


@dataclass(frozen=True)
class InvalidJob:
    """A job whose spec breaks a rule (an older CRD may have admitted it) or exceeds the operator's limits."""

    raw: Object
    generation: int
    status: FineTuneJobStatus
    problems: str
    """Every broken rule, as a sentence that names the field."""


def observe(store: Store, key: JobKey, limits: Limits = NO_LIMITS) -> Observed | InvalidJob | None:
    """What is known about the job; None when it does not exist.

    The limits apply to runs that have not been created.
    """
    raw = store.finetunejob(key)
    if raw is None:
        return None
    status = _read_status(raw)
    job, problems = _read_job(raw, status)
    if job is None:
        return InvalidJob(raw, int(raw["metadata"].get("generation", 1)), status, problems)
    run = build_run_name(job)
    jobs = {run_of(j): j for j in store.jobs(key) if controller_uid(j) == job.metadata.uid}
    is_new = run not in jobs and (status.run is None or status.run.name != run)
    if is_new and (excesses := find_excesses(job, limits)):
        return InvalidJob(raw, job.metadata.generation, status, " ".join(excesses))
    pods = {name: _pods_of(store, key, j) for name, j in jobs.items()}
    newest = pods[run][-1] if pods.get(run) else None
    return Observed(
        raw=raw,
        job=job,
        desired_run=run,
        jobs=jobs,
        pods=pods,
        stray_pods=[pod for pod in store.pods(key) if _is_stray(pod, run, jobs)],
        report=store.report(newest) if newest else None,
        experiments={
            experiment_of(e): e for e in store.experiments(key) if controller_uid(e) == job.metadata.uid
        },
    )


def _read_job(raw: Object, status: FineTuneJobStatus) -> tuple[FineTuneJob | None, str]:
    """The job, or None and why it is invalid."""
    if REFUSED in raw:
        return None, str(raw[REFUSED])
    try:
        return FineTuneJob.model_validate({**raw, "status": status}), ""
    except ValidationError as error:
        return None, " ".join(_sentence(loc, text) for loc, text in validation_problems(error))


def _read_status(raw: Object) -> FineTuneJobStatus:
    """The status; one that does not parse (another program wrote it) counts as empty."""
    try:
        return FineTuneJobStatus.model_validate(raw.get("status") or {})
    except ValidationError:
        return FineTuneJobStatus()


def _sentence(loc: tuple[str | int, ...], text: str) -> str:
    """The message of a broken rule, with the path of the object it is about."""
    return text if text.startswith(dotted(loc)) or not loc else f"{dotted(loc)}: {text}"


def _is_stray(pod: Object, run: str, jobs: Mapping[str, Object]) -> bool:
    if run_of(pod) != run or pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return False
    return run not in jobs or controller_uid(pod) != jobs[run]["metadata"]["uid"]


def _pods_of(store: Store, key: JobKey, job: Object) -> list[Object]:
    pods = [pod for pod in store.pods(key) if controller_uid(pod) == job["metadata"]["uid"]]
    return sorted(pods, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))
