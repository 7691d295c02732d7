"""Completes specs with defaults, parses and hashes them: once for as long as neither changes.

A job is observed two to three times in each reconciliation, and reconciled many times in its life, mostly
with the spec that it was created with. Parsing and hashing that is most of an observation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import orjson

from finscribe_core.api.defaults import complete
from finscribe_core.api.v1alpha1 import FineTuneJob, FineTuneJobSpec, FineTuneJobStatus
from finscribe_operator.field_changes import Change, hash_settings
from finscribe_operator.objects import Object

MAX_KNOWN = 256
"""Jobs whose completed specs are kept: those that are worked on, not all."""
MAX_DEFAULTS = 64
"""Different defaults that are kept; there are as many as versions of the operator that started runs."""
_NO_DEFAULTS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class _Completed:
    written: Any
    defaults: Mapping[str, Any]
    spec: FineTuneJobSpec
    hashes: dict[Change, str] = field(default_factory=dict)


_known: dict[str, _Completed] = {}
"""By the job's uid, the one that was completed last at the end."""


def complete_job(raw: Object, status: FineTuneJobStatus, defaults: Mapping[str, Any]) -> FineTuneJob:
    """A job whose spec is completed with defaults.

    Args:
        raw: the FineTuneJob as it is stored.
        status: its status, parsed.
        defaults: as from `defaults_of`.

    Raises:
        ValidationError: the spec breaks a rule.
    """
    uid, written = raw["metadata"].get("uid", ""), raw["spec"]
    known = _known.get(uid)
    if known is not None and known.written == written and known.defaults == defaults:
        return FineTuneJob.model_validate({**raw, "spec": known.spec, "status": status})
    spec = complete(FineTuneJobSpec, written, defaults)
    job = FineTuneJob.model_validate({**raw, "spec": spec, "status": status})
    _known.pop(uid, None)
    _known[uid] = _Completed(written, defaults, job.spec)
    if len(_known) > MAX_KNOWN:
        del _known[next(iter(_known))]
    return job


def write_defaults(defaults: Mapping[str, Any]) -> str:
    """Defaults as JSON, for the status of a run; empty if there are none."""
    return orjson.dumps(dict(defaults), option=orjson.OPT_SORT_KEYS).decode() if defaults else ""


@lru_cache(maxsize=MAX_DEFAULTS)
def read_defaults(text: str) -> Mapping[str, Any]:
    """The defaults in the status of a run; empty if another program wrote something else there."""
    try:
        defaults = orjson.loads(text)
    except orjson.JSONDecodeError:
        return _NO_DEFAULTS
    return MappingProxyType(defaults) if isinstance(defaults, dict) else _NO_DEFAULTS


def hash_spec(job: FineTuneJob, change: Change) -> str:
    """The hash of a part of a completed spec (`hash_settings`)."""
    known = _known.get(job.metadata.uid)
    if known is None or known.spec is not job.spec:
        return hash_settings(job.spec, change)
    if change not in known.hashes:
        known.hashes[change] = hash_settings(job.spec, change)
    return known.hashes[change]
