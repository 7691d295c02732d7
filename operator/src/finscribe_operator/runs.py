"""Finds the run that a job's spec asks for: the current one, an earlier one, or a new one with its name.

A run is identified by its training settings: the fields of the spec that determine what is learned
(`field_changes`), completed with the defaults that were in force when the run started. These are kept in
`status.run`, so that an operator with other defaults starts no run. The other settings describe an attempt:
if they change, the run continues in a new pod.
"""

import hashlib
import json
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from finscribe_core.api.defaults import complete, defaults_of
from finscribe_core.api.v1alpha1 import FineTuneJob, FineTuneJobSpec, FineTuneJobStatus, RunStatus
from finscribe_core.constants import ANNOTATION_RETRY
from finscribe_operator.field_changes import Change, hash_settings, hash_value, select
from finscribe_operator.objects import Object

DEFAULTS = defaults_of(FineTuneJobSpec)
"""The defaults of this version of the operator."""


@dataclass(frozen=True)
class DesiredRun:
    """The run that a spec asks for, and the settings of its pod."""

    name: str
    training_hash: str
    """Hash of the training settings, defaults included."""
    spec_hash: str
    """Hash of the training settings as they are written in the spec."""
    attempt_hash: str
    """Hash of the settings of the pod, defaults included."""
    retry_token: str
    """The value of the annotation by which a failed run is retried."""
    defaults: Mapping[str, Any]
    """The defaults of the run; empty for an earlier run, as its record does not keep them."""

    def build_status(self) -> RunStatus:
        """The status of the run before its first attempt."""
        return self.recorded(RunStatus(name=self.name))

    def recorded(self, run: RunStatus) -> RunStatus:
        """The run's status with its identity. The attempt's hash changes only with the attempt.

        A request for a retry is recorded at once: one that comes before a failure has no effect.
        """
        return run.model_copy(
            update={
                "training_hash": self.training_hash,
                "spec_hash": self.spec_hash,
                "attempt_hash": run.attempt_hash or self.attempt_hash,
                "retry_token": self.retry_token,
                "defaults": dict(self.defaults),
            }
        )


def find_run(
    raw: Object, status: FineTuneJobStatus, jobs: Container[str] = ()
) -> tuple[FineTuneJob, DesiredRun]:
    """The job, completed with the defaults of its run, and the run.

    Args:
        raw: the FineTuneJob as the API server stores it.
        status: its status, parsed.
        jobs: the runs of the Jobs that it owns, in case that its status was lost.

    Raises:
        ValidationError: the spec breaks a rule.
    """
    written = raw["spec"]
    spec_hash = hash_value(select(written, Change.NewRun) if isinstance(written, dict) else written)
    current = status.run
    if current is not None and current.training_hash:
        defaults = current.defaults or DEFAULTS
        job = _complete_if_valid(raw, status, defaults)
        if job is not None and (
            current.spec_hash == spec_hash or current.training_hash == hash_settings(job.spec, Change.NewRun)
        ):
            name = _name_of_current(job, current, jobs)
            return job, _desired(job, name, current.training_hash, spec_hash, current.defaults)
    job = _complete(raw, status, DEFAULTS)
    training_hash = hash_settings(job.spec, Change.NewRun)
    if current is not None and not current.training_hash and _was_started_for(job, current.name, status):
        return job, _desired(job, current.name, training_hash, spec_hash, DEFAULTS)
    former_name = _former_name(job)
    if current is None and former_name in jobs:
        return job, _desired(job, former_name, training_hash, spec_hash, DEFAULTS)
    for record in status.runs:
        if record.training_hash == training_hash or record.name == former_name:
            return job, _desired(job, record.name, training_hash, spec_hash, DEFAULTS)
        # Its defaults were others. A result is not made again for that; an unfinished run can't continue.
        if record.spec_hash == spec_hash and record.outcome == "Succeeded":
            return job, _desired(job, record.name, record.training_hash, spec_hash, {})
    return job, _desired(job, _build_name(job, training_hash), training_hash, spec_hash, DEFAULTS)


def _name_of_current(job: FineTuneJob, run: RunStatus, jobs: Container[str]) -> str:
    """The name in the status, unless it was edited: the run's Job has the name that it was given."""
    given = _build_name(job, run.training_hash)
    return given if given in jobs and run.name not in jobs else run.name


def _was_started_for(job: FineTuneJob, run: str, status: FineTuneJobStatus) -> bool:
    """Whether a version of the operator that did not record hashes started the run for this spec."""
    return status.observed_generation == job.metadata.generation or run == _former_name(job)


def _complete(raw: Object, status: FineTuneJobStatus, defaults: Mapping[str, Any]) -> FineTuneJob:
    spec = complete(FineTuneJobSpec, raw["spec"], defaults)
    return FineTuneJob.model_validate({**raw, "spec": spec, "status": status})


def _complete_if_valid(
    raw: Object, status: FineTuneJobStatus, defaults: Mapping[str, Any]
) -> FineTuneJob | None:
    try:
        return _complete(raw, status, defaults)
    except ValidationError:
        return None


def _desired(
    job: FineTuneJob, name: str, training_hash: str, spec_hash: str, defaults: Mapping[str, Any]
) -> DesiredRun:
    attempt_hash = hash_settings(job.spec, Change.NewAttempt)
    retry_token = job.metadata.annotations.get(ANNOTATION_RETRY, "")
    return DesiredRun(name, training_hash, spec_hash, attempt_hash, retry_token, defaults)


def _build_name(job: FineTuneJob, training_hash: str) -> str:
    """The name of a new run. It is the same each time, so that creating a run is idempotent. It includes the
    uid, so that a job that was deleted and created again gets new runs.
    """
    return f"{job.metadata.name}-{hash_value([job.metadata.uid, training_hash])[:8]}"


def _former_name(job: FineTuneJob) -> str:
    """The name that the first versions of the operator gave to a run: a hash of all that differs from the
    defaults. Their runs are kept.
    """
    in_place = {"suspend", "backoff_limit", "active_deadline_seconds", "experiments"}
    spec = job.spec.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude=in_place)
    text = job.metadata.uid + json.dumps(spec, sort_keys=True, separators=(",", ":"))
    return f"{job.metadata.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
