"""A run's identity: the job, and a hash of what it trains."""

import hashlib
import json

from finscribe_core.api.v1alpha1 import FineTuneJob, FineTuneJobSpec
from finscribe_operator.objects import Object

MUTABLE_FIELDS = frozenset({"suspend", "backoff_limit", "active_deadline_seconds", "experiments"})
"""Fields of the spec that may change while a run goes on; everything else shapes the run."""


def build_run_name(job: FineTuneJob) -> str:
    """The name of the run that the job's present spec asks for.

    The same spec gives the same name, whatever the order of its keys and whether or not defaults are written
    out, so that creating a run twice is creating it once. The uid keeps a job that is deleted and created
    again from meeting its predecessor's run.
    """
    text = job.metadata.uid + json.dumps(_shape(job.spec), sort_keys=True, separators=(",", ":"))
    return f"{job.metadata.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _shape(spec: FineTuneJobSpec) -> Object:
    return spec.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude=set(MUTABLE_FIELDS))
