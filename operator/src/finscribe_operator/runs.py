"""Finds the run that a job's spec asks for: the current one, an earlier one, or a new one with its name.

A run is identified by its training settings: the fields of the spec that determine what is learned
(`field_changes`), completed with the defaults that were in force when the run started. These are kept in
`status.run`, so that an operator with other defaults starts no run. The other settings describe an attempt:
if they change, the run continues in a new pod.
"""

import hashlib
import json
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from finscribe_core.api.conditions import ConditionType, find_true
from finscribe_core.api.defaults import defaults_of, override
from finscribe_core.api.retraining import RunCause
from finscribe_core.api.v1alpha1 import FineTuneJob, FineTuneJobSpec, FineTuneJobStatus, RunStatus
from finscribe_core.constants import ANNOTATION_OCCASION, ANNOTATION_RETRY, LABEL_CAUSE
from finscribe_operator.completed_specs import (
    complete_job,
    hash_spec,
    read_defaults,
    write_defaults,
)
from finscribe_operator.field_changes import (
    FIELD_CHANGES,
    Change,
    hash_value,
    replace_training_settings,
    select,
)
from finscribe_operator.objects import Object, label
from finscribe_operator.retraining import Occasion, find_cause, find_occasion, holds_back

NAME_PART = 52
"""Characters of a job's name in the names of its runs, to which 9 are added. Pods are named after runs."""
DEFAULTS = defaults_of(FineTuneJobSpec)
"""The defaults of this version of the operator."""
_NO_JOBS: Mapping[str, Object] = MappingProxyType({})


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
    settings: Mapping[str, Any]
    """The training settings as they are written."""
    cause: RunCause = RunCause.Created
    occasion: str = ""
    """The time of the schedule, or the fingerprint of the data, for which it starts."""
    holds_back: bool = False
    """Whether it is the present run, although the spec asks for another one."""

    def build_status(self) -> RunStatus:
        """The status of the run before its first attempt."""
        return self.recorded(RunStatus(name=self.name, cause=self.cause, occasion=self.occasion))

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
                "defaults_json": write_defaults(self.defaults),
                "settings": dict(self.settings),
            }
        )


def find_run(
    raw: Object,
    status: FineTuneJobStatus,
    jobs: Mapping[str, Object] = _NO_JOBS,
    now: str = "",
    defaults: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[FineTuneJob, DesiredRun]:
    """The job, completed with the defaults of its run, and the run.

    Args:
        raw: the FineTuneJob as the API server stores it.
        status: its status, parsed.
        jobs: the Jobs that it owns, by run, in case that its status was lost.
        now: the current time (RFC 3339); when empty, no run starts by a schedule or for changed data.
        defaults: those of the platform team, in place of built-in ones.

    Raises:
        ValidationError: the spec breaks a rule.
    """
    written = raw["spec"]
    settings = select(written, Change.NewRun) if isinstance(written, dict) else {}
    today = override(DEFAULTS, defaults)
    current = status.run
    if current is not None and current.training_hash:
        known = _continue_current(raw, status, current, settings, jobs, today)
        if known is not None:
            occasion = find_occasion(known[0].spec, status, now) if now else None
            return known if occasion is None else _start_again(raw, status, settings, occasion, today)
    job = complete_job(raw, status, today)
    new = _desired(job, settings, find_cause(current, settings), today)
    former = _former_name(complete_job(raw, status, DEFAULTS) if defaults else job)
    if current is not None and not current.training_hash and _was_started_for(job, current, status, former):
        return job, replace(new, name=current.name, cause=current.cause)
    started = _find_started(job, new, jobs, former) if current is None else None
    return job, started or _find_earlier(new, status, former)


def _continue_current(
    raw: Object,
    status: FineTuneJobStatus,
    current: RunStatus,
    settings: Object,
    jobs: Mapping[str, Object],
    today: Mapping[str, Any],
) -> tuple[FineTuneJob, DesiredRun] | None:
    """The current run, if the spec still asks for it or lets it continue; else None."""
    kept = read_defaults(current.defaults_json)
    defaults = kept or today
    job = _complete_if_valid(raw, status, defaults)
    spec_hash, is_held = hash_value(settings), False
    if job is None:
        return None
    if spec_hash != current.spec_hash and current.training_hash != hash_spec(job, Change.NewRun):
        if not holds_back(job.spec, current):
            return None
        is_held, spec_hash, settings = True, current.spec_hash, current.settings
        raw = {**raw, "spec": replace_training_settings(raw["spec"], settings)}
        job = complete_job(raw, status, defaults)
    token = job.metadata.annotations.get(ANNOTATION_RETRY, "")
    failed = find_true(status.conditions, ConditionType.Failed) is not None
    is_retry = failed and token not in ("", current.retry_token)
    is_changed = current.attempt_hash not in ("", hash_spec(job, Change.NewAttempt))
    if kept and (is_retry or (is_changed and (failed or not current.completion_time))):
        defaults = _for_new_attempt(defaults, today)
        job = complete_job(raw, status, defaults)
    return job, replace(
        _desired(job, settings, RunCause.Retried if is_retry else current.cause, today),
        name=_name_of_current(job, current, jobs),
        training_hash=current.training_hash,
        spec_hash=spec_hash,
        defaults=defaults if kept else {},
        occasion=current.occasion,
        holds_back=is_held,
    )


def _for_new_attempt(kept: Mapping[str, Any], today: Mapping[str, Any]) -> Mapping[str, Any]:
    """The defaults of a run that continues in another pod: today's of the pod, the kept ones of training."""
    training = {"training": kept.get("training", {})}
    of_today = {**select(dict(today), Change.NewAttempt), **select(dict(today), Change.InPlace)} | training
    return override(of_today, select(dict(kept), Change.NewRun))


def _start_again(
    raw: Object,
    status: FineTuneJobStatus,
    settings: Object,
    occasion: Occasion,
    today: Mapping[str, Any],
) -> tuple[FineTuneJob, DesiredRun]:
    """A new run of the spec as it is now, with the defaults of today."""
    job = complete_job(raw, status, today)
    new = _desired(job, settings, occasion.cause, today, occasion.text)
    record = next((record for record in status.runs if record.name == new.name), None)
    return job, replace(new, cause=record.cause) if record else new


def _find_started(
    job: FineTuneJob, new: DesiredRun, jobs: Mapping[str, Object], former: str
) -> DesiredRun | None:
    """The run of a job without status that a Job shows to have been started; None without such a Job."""
    if former in jobs:
        return replace(new, name=former)
    for name, found in jobs.items():
        annotations = found["metadata"].get("annotations") or {}
        occasion = annotations.get(ANNOTATION_OCCASION, "")
        if occasion and name == _build_name(job, new.training_hash, occasion):
            cause = label(found, LABEL_CAUSE)
            return replace(new, name=name, occasion=occasion, cause=RunCause(cause) if cause else new.cause)
    return None


def _find_earlier(new: DesiredRun, status: FineTuneJobStatus, former: str) -> DesiredRun:
    """The recorded run with the settings of the new one: the last that succeeded, else the last; else it."""
    same = [r for r in status.runs if r.training_hash == new.training_hash or r.name == former]
    # Its defaults were others. A result is not made again for that; an unfinished run can't continue.
    same += [r for r in status.runs if r.spec_hash == new.spec_hash and r.outcome == "Succeeded"]
    record = next((r for r in same if r.outcome == "Succeeded"), same[0] if same else None)
    if record is None:
        return new
    is_same_training = record.training_hash in ("", new.training_hash)
    return replace(
        new,
        name=record.name,
        training_hash=new.training_hash if is_same_training else record.training_hash,
        defaults=new.defaults if is_same_training else {},
        cause=record.cause if record.outcome == "Succeeded" else new.cause,
        occasion=record.occasion,
    )


def _name_of_current(job: FineTuneJob, run: RunStatus, jobs: Container[str]) -> str:
    """The name in the status, unless it was edited: the run's Job has the name that it was given."""
    given = _build_name(job, run.training_hash, run.occasion)
    return given if given in jobs and run.name not in jobs else run.name


def _was_started_for(job: FineTuneJob, run: RunStatus, status: FineTuneJobStatus, former: str) -> bool:
    """Whether a version of the operator that did not record hashes started the run for this spec."""
    return status.observed_generation == job.metadata.generation or run.name == former


def _complete_if_valid(
    raw: Object, status: FineTuneJobStatus, defaults: Mapping[str, Any]
) -> FineTuneJob | None:
    try:
        return complete_job(raw, status, defaults)
    except ValidationError:
        return None


def _desired(
    job: FineTuneJob, settings: Object, cause: RunCause, today: Mapping[str, Any], occasion: str = ""
) -> DesiredRun:
    """The new run of a job that is completed with the defaults of today."""
    training_hash = hash_spec(job, Change.NewRun)
    return DesiredRun(
        name=_build_name(job, training_hash, occasion),
        training_hash=training_hash,
        spec_hash=hash_value(settings),
        attempt_hash=hash_spec(job, Change.NewAttempt),
        retry_token=job.metadata.annotations.get(ANNOTATION_RETRY, ""),
        defaults=today,
        settings=settings,
        cause=cause,
        occasion=occasion,
    )


def _build_name(job: FineTuneJob, training_hash: str, occasion: str = "") -> str:
    """The name of a new run. It is the same each time, so that creating a run is idempotent. It includes the
    uid, so that a job that was deleted and created again gets new runs.
    """
    parts = [job.metadata.uid, training_hash, *([occasion] if occasion else [])]
    return f"{job.metadata.name[:NAME_PART]}-{hash_value(parts)[:8]}"


def _former_name(job: FineTuneJob) -> str:
    """The name that the first versions of the operator gave to a run: a hash of all that differs from the
    defaults. Their runs are kept.
    """
    written = job.spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    spec = {name: value for name, value in written.items() if FIELD_CHANGES.get(name) != Change.InPlace}
    text = job.metadata.uid + json.dumps(spec, sort_keys=True, separators=(",", ":"))
    return f"{job.metadata.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
