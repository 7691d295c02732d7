"""Builds a run's name from the job's name and a hash of its spec."""

import hashlib
import json

from finscribe_core.api.v1alpha1 import FineTuneJob, FineTuneJobSpec
from finscribe_operator.objects import Object

MUTABLE_FIELDS = frozenset({"suspend", "backoff_limit", "active_deadline_seconds", "experiments"})
"""Fields of the spec that may change during a run; a change of any other field starts a new run."""


def build_run_name(job: FineTuneJob) -> str:
    """The name of the run of the job's current spec.

    The same spec gives the same name, whatever the order of its keys and whether or not defaults are written
    out, so that creating a run is idempotent. The hash includes the uid, so that a job that was deleted and
    created again gets new runs.
    """
    text = job.metadata.uid + json.dumps(_hashed_fields(job.spec), sort_keys=True, separators=(",", ":"))
    return f"{job.metadata.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _hashed_fields(spec: FineTuneJobSpec) -> Object:
    return spec.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude=set(MUTABLE_FIELDS))
